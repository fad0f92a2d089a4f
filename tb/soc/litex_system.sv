// Clock, end and memory dump around the system that LiteX generates (module litex_soc); its bench is that of soc.sv.
//
// +dump=FILE gets the words of the main memory, in hex, when `dump` rises.

module tenon_litex_system (
    output logic clk,
    input  logic rst,
    output logic [63:0] cycle,
    input  logic [63:0] deadline,  // wakes the bench at this cycle if the firmware has not ended
    output logic wake,
    output logic ended,
    output logic [31:0] exit_code,
    input  logic dump
);
    initial clk = 0;
    always #5 clk = !clk;
    initial cycle = 0;
    always @(posedge clk) cycle <= cycle + 1;
    assign wake = ended || cycle >= deadline;

    litex_soc soc (.clk(clk), .rst(rst), .ended(ended), .exit_code(exit_code));

    string path;
    always @(posedge dump) if ($value$plusargs("dump=%s", path)) $writememh(path, soc.main_ram);
endmodule
