// Records every signal of the system (VCD or FST, as the simulator was built).
//
// Plusargs
//   +waves=FILE       where to
//   +waves_from=N     from this cycle of the first run on (the start of the simulation)
//   +waves_to=N       until this one (the end of the simulation)
//   +waves_every=N    samples: +waves_length=M cycles at the start of each N (Verilator only; all cycles)
module tenon_waves (
    input logic [31:0] run,
    input logic [31:0] cycle
);
    string path;
    int first, last, every, length;
    bit closed;
    initial begin
        if ($value$plusargs("waves=%s", path)) begin
            $dumpfile(path);
            if ($value$plusargs("waves_from=%d", first) && first > 0) wait (run != 0 || cycle >= first);
            $dumpvars(0, tenon_system);
`ifdef VERILATOR
            if ($value$plusargs("waves_every=%d", every) && $value$plusargs("waves_length=%d", length)) fork
                while (!closed) begin
                    // What changed meanwhile is written when it goes on.
                    if ((cycle - first) % every < length) $c("vlSymsp->__Vm_dumping = true;");
                    else $c("vlSymsp->__Vm_dumping = false;");
                    @(cycle);
                end
            join_none
`endif
            if ($value$plusargs("waves_to=%d", last)) begin
                wait (run != 0 || cycle >= last);
`ifdef VERILATOR
                closed = 1;
                $c("vlSymsp->_traceDumpClose();");  // it ignores $dumpoff
`else
                $dumpoff;
`endif
            end
        end
    end
endmodule
