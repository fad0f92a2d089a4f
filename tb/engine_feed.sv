// Offers an engine the instructions of a file and logs what it answers; the bench around it holds the memories.
//
// `+folder=` has instructions.bin, `+count=` big-endian words of 1024 bits, and receives log.txt: lines `event cycle
// [values]` in hexadecimal, here T taken, R release, D done, N stall, to which the bench adds reads and writes. `+gap=` is the
// share of cycles, in percent, in which nothing new is offered; `+limit=` ends the run; with `+poison`, `poison` is high
// AHEAD cycles after the last release: in the last cycle in which memory is to be read.

package bench_files;
  function automatic int open(string name, string mode);
    string folder;
    if (!$value$plusargs("folder=%s", folder)) $fatal(1, "the bench needs +folder=");
    return $fopen({folder, "/", name}, mode);
  endfunction

  function automatic logic chance(int percent);
    return $urandom_range(99) < percent;
  endfunction
endpackage

module engine_feed
  import bench_files::*;
#(
    parameter int START = 6,
    parameter int AHEAD = 0
) (
    input  logic          clk,
    output logic          rst,
    output logic          i_valid,
    input  logic          i_ready,
    output logic [1023:0] i_instr,
    input  logic          o_release,
    input  logic          o_done,
    input  logic          o_busy,
    input  logic          o_settles,
    input  logic          stall,
    output logic          poison,
    output logic          finished,
    output logic          hung,
    output logic          idle_when_busy
);
  logic [1023:0] instructions[0:4095];
  logic [11:0] taken = '0;
  int gap, count, limit, log_file, unused;
  int cycle = 0, released = 0, done = 0, after = 0;
  logic poisons;
  logic [AHEAD:0] over;

  // An instruction is there while it is offered, and no longer.
  assign i_instr = i_valid ? instructions[taken] : {32{32'hDEADBEEF}};
  assign over[0] = poisons && o_release && released + 1 == count;
  assign poison  = over[AHEAD];
  for (genvar i = 1; i <= AHEAD; i++) always_ff @(posedge clk) over[i] <= over[i-1];

  initial begin
    rst = 1'b1;
    i_valid = 1'b0;
    finished = 1'b0;
    hung = 1'b0;
    idle_when_busy = 1'b0;
    if (!$value$plusargs("gap=%d", gap) || !$value$plusargs("count=%d", count) || !$value$plusargs("limit=%d", limit))
      $fatal(1, "the bench needs +gap= +count= +limit=");
    poisons = $test$plusargs("poison") != 0;
    unused = $fread(instructions, open("instructions.bin", "rb"));
    log_file = open("log.txt", "w");
  end

  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 4) rst <= 1'b0;
    if (cycle > START) begin
      if (i_valid && i_ready) begin
        taken   <= taken + 1;
        i_valid <= int'(taken) + 1 < count && !chance(gap);
        $fwrite(log_file, "T %h\n", cycle);
      end else if (!i_valid) i_valid <= int'(taken) < count && !chance(gap);

      if (stall) $fwrite(log_file, "N %h\n", cycle);
      if (o_release) begin
        $fwrite(log_file, "R %h\n", cycle);
        released <= released + 1;
      end
      if (o_done) begin
        $fwrite(log_file, "D %h\n", cycle);
        done <= done + 1;
      end
      if (!o_busy && int'(taken) != done) idle_when_busy <= 1'b1;
      if (done == count) after <= after + 1;
      if (after > 50 || cycle > limit) begin
        hung <= done != count || o_busy || o_settles;
        $fclose(log_file);
        finished <= 1'b1;
      end
    end
  end
endmodule
