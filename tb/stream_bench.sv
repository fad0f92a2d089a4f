// Streams a file of operand words through module `dut`, one vector per cycle, and its outputs into another file.
//
// Vectors are big-endian in the operand file ($fread fills from the top), results little-endian 32-bit words.
// After the operands come DRAIN idle cycles, so that the last results leave the pipeline.

module stream_bench #(
    parameter int IN_WORDS = 1,
    parameter int OUT_WORDS = 1,
    parameter int DRAIN = 64
) (
    output logic finished,
    output int   cycles
);
  logic clk = 1'b0;
  logic [32*IN_WORDS-1:0] i = '0;
  logic [32*OUT_WORDS-1:0] o;
  dut dut (.clk(clk), .i(i), .o(o));

  string operands, results;
  int source, sink, got;
  logic [32*IN_WORDS-1:0] vector;

  initial begin
    finished = 1'b0;
    cycles = 0;
    if (!$value$plusargs("operands=%s", operands) || !$value$plusargs("results=%s", results))
      $fatal(1, "stream_bench needs +operands= and +results=");
    source = $fopen(operands, "rb");
    sink = $fopen(results, "wb");
    forever begin
      got = $fread(vector, source);
      if (got != 4 * IN_WORDS) break;
      i = vector;
      step();
    end
    for (int n = 0; n < DRAIN; n++) step();
    $fclose(source);
    $fclose(sink);
    finished = 1'b1;
  end

  // Inputs were set while the clock was low; outputs of this cycle are sampled before its edge.
  task automatic step();
    #1;
    $fwrite(sink, "%u", o);
    clk = 1'b1;
    #1;
    clk = 1'b0;
    cycles = cycles + 1;
  endtask
endmodule
