// Records every signal of the system (VCD or FST, as the simulator was built).
//
// Plusargs
//   +waves=FILE       where to
//   +waves_from=N     from this cycle of the first run on (the start of the simulation)
//   +waves_to=N       until this one (the end of the simulation)
module tenon_waves (
    input logic [31:0] run,
    input logic [31:0] cycle
);
    string path;
    int first, last;
    initial begin
        if ($value$plusargs("waves=%s", path)) begin
            $dumpfile(path);
            if ($value$plusargs("waves_from=%d", first) && first > 0) wait (run != 0 || cycle >= first);
            $dumpvars(0, tenon_system);
            if ($value$plusargs("waves_to=%d", last)) begin
                wait (run != 0 || cycle >= last);
`ifdef VERILATOR
                $c("vlSymsp->_traceDumpClose();");  // it ignores $dumpoff
`else
                $dumpoff;
`endif
            end
        end
    end
endmodule
