// Writes down what one engine of the accelerator does: a line for each cycle in which something happens or changes,
//
//   CYCLE ENGINE EVENTS      events in binary: granted, released, done (pulses of that cycle), then head (an instruction
//                            waits in the queue), offered (it has its tokens), busy, bank, bus (stalls)
//
// Only the first run is observed. Cycles are those of the counter CYCLES, as in the time stamps.
module tenon_engine_observer #(
    parameter int ENGINE = 0
) (
    input logic clk,
    input int file,
    input logic on,
    input logic [31:0] cycle,
    input logic [2:0] pulses,
    input logic [4:0] state
);
    logic [4:0] last;
    initial last = 0;
    always @(posedge clk) begin
        if (on && (pulses != 0 || state != last)) begin
            $fdisplay(file, "%0d %0d %b%b", cycle, ENGINE, pulses, state);
            last <= state;
        end
    end
endmodule

// The bus: a line "CYCLE bus READ WRITTEN" for each window of WINDOW cycles in which a beat moved.
module tenon_bus_observer #(
    parameter int WINDOW = 64
) (
    input logic clk,
    input int file,
    input logic on,
    input logic ended,
    input logic [31:0] cycle,
    input logic read,
    input logic written
);
    localparam int SHIFT = $clog2(WINDOW);
    int reads, writes;
    logic [31:0] place;
    logic over;
    initial begin
        reads = 0;
        writes = 0;
        place = 0;
    end
    assign over = ended || cycle >> SHIFT != place;
    always @(posedge clk) begin
        if (on) begin
            if (over && (reads != 0 || writes != 0)) $fdisplay(file, "%0d bus %0d %0d", place << SHIFT, reads, writes);
            place <= cycle >> SHIFT;
            reads <= (over ? 0 : reads) + (read ? 1 : 0);
            writes <= (over ? 0 : writes) + (written ? 1 : 0);
        end
        if (ended) $fflush(file);
    end
endmodule
