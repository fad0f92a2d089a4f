// MATRIX alone: memories, a list of instructions, and a log of everything that happens.
//
// Log lines are `event cycle [address [data]]` in hexadecimal: T taken, R release, D done, N stall; A W Z B K reads of
// activations, weights, zero-points, biases and accumulators; C writes of accumulators. Files hold big-endian words.

module matrix_bench #(
    parameter int ROWS = 4,
    parameter int COLS = 4,
    parameter int ACT_WORDS = 64,
    parameter int WGT_WORDS = 64,
    parameter int PAR_WORDS = 64,
    parameter int ACC_WORDS = 64
) (
    output logic finished,
    output logic hung,
    output logic idle_when_busy
);
  logic clk = 1'b0, rst = 1'b1;
  always #1 clk = ~clk;

  logic [ 8*ROWS-1:0] act[0:ACT_WORDS-1];
  logic [ 8*COLS-1:0] wgt[0:WGT_WORDS-1];
  logic [32*COLS-1:0] par[0:PAR_WORDS-1];
  logic [32*COLS-1:0] acc[0:ACC_WORDS-1];
  logic [     1023:0] instructions[0:4095];

  logic i_valid = 1'b0, i_ready, o_release, o_done, o_busy, o_stall_bank, o_stall_bus;
  logic act_en, wgt_en, z_en, b_en, accr_en, accw_en;
  logic [$clog2(ACT_WORDS)-1:0] act_addr;
  logic [$clog2(WGT_WORDS)-1:0] wgt_addr;
  logic [$clog2(PAR_WORDS)-1:0] z_addr, b_addr;
  logic [$clog2(ACC_WORDS)-1:0] accr_addr, accw_addr;
  logic [8*ROWS-1:0] act_data;
  logic [8*COLS-1:0] wgt_data;
  logic [32*COLS-1:0] z_data, b_data, accr_data, accw_data;
  logic [1023:0] i_instr;
  logic [11:0] taken = '0;

  // An instruction is there while it is offered, and no longer.
  assign i_instr = i_valid ? instructions[taken] : {32{32'hDEADBEEF}};

  tenon_matrix_engine dut (
      .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_instr(i_instr),
      .act_en(act_en), .act_addr(act_addr), .act_data(act_data),
      .wgt_en(wgt_en), .wgt_addr(wgt_addr), .wgt_data(wgt_data),
      .z_en(z_en), .z_addr(z_addr), .z_data(z_data), .b_en(b_en), .b_addr(b_addr), .b_data(b_data),
      .accr_en(accr_en), .accr_addr(accr_addr), .accr_data(accr_data),
      .accw_en(accw_en), .accw_addr(accw_addr), .accw_data(accw_data),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy),
      .o_stall_bank(o_stall_bank), .o_stall_bus(o_stall_bus));

  string folder;
  int gap, count, limit, log_file, file, unused;
  logic poison;
  int cycle = 0, released = 0, done = 0, after = 0;

  function automatic int open(string name);
    return $fopen({folder, "/", name}, "rb");
  endfunction

  initial begin
    finished = 1'b0;
    hung = 1'b0;
    idle_when_busy = 1'b0;
    if (!$value$plusargs("folder=%s", folder) || !$value$plusargs("gap=%d", gap)
        || !$value$plusargs("count=%d", count) || !$value$plusargs("limit=%d", limit))
      $fatal(1, "matrix_bench needs +folder= +gap= +count= +limit=");
    poison = $test$plusargs("poison") != 0;
    file = open("act.bin");
    unused = $fread(act, file);
    file = open("wgt.bin");
    unused = $fread(wgt, file);
    file = open("par.bin");
    unused = $fread(par, file);
    file = open("acc.bin");
    unused = $fread(acc, file);
    file = open("instructions.bin");
    unused = $fread(instructions, file);
    log_file = $fopen({folder, "/log.txt"}, "w");
  end

  function automatic logic chance(int percent);
    return $urandom_range(99) < percent;
  endfunction

  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 4) rst <= 1'b0;

    // Data are there for one cycle; before and after it anything may be.
    act_data  <= act_en ? act[act_addr] : (8*ROWS)'({ROWS{$urandom}});
    wgt_data  <= wgt_en ? wgt[wgt_addr] : (8*COLS)'({COLS{$urandom}});
    z_data    <= z_en ? par[z_addr] : {COLS{$urandom}};
    b_data    <= b_en ? par[b_addr] : {COLS{$urandom}};
    accr_data <= accr_en ? acc[accr_addr] : {COLS{$urandom}};
    if (accw_en) acc[accw_addr] <= accw_data;

    if (cycle > 6) begin
      if (i_valid && i_ready) begin
        taken   <= taken + 1;
        i_valid <= int'(taken) + 1 < count && !chance(gap);
        $fwrite(log_file, "T %h\n", cycle);
      end else if (!i_valid) i_valid <= int'(taken) < count && !chance(gap);

      if (act_en) $fwrite(log_file, "A %h %h\n", cycle, act_addr);
      if (wgt_en) $fwrite(log_file, "W %h %h\n", cycle, wgt_addr);
      if (z_en) $fwrite(log_file, "Z %h %h\n", cycle, z_addr);
      if (b_en) $fwrite(log_file, "B %h %h\n", cycle, b_addr);
      if (accr_en) $fwrite(log_file, "K %h %h\n", cycle, accr_addr);
      if (accw_en) $fwrite(log_file, "C %h %h %h\n", cycle, accw_addr, accw_data);
      if (o_stall_bank || o_stall_bus) $fwrite(log_file, "N %h\n", cycle);
      if (o_release) begin
        $fwrite(log_file, "R %h\n", cycle);
        released <= released + 1;
        if (poison && released + 1 == count) begin
          for (int n = 0; n < ACT_WORDS; n++) act[n] <= '1;
          for (int n = 0; n < WGT_WORDS; n++) wgt[n] <= '1;
          for (int n = 0; n < PAR_WORDS; n++) par[n] <= '1;
        end
      end
      if (o_done) begin
        $fwrite(log_file, "D %h\n", cycle);
        done <= done + 1;
      end
      if (!o_busy && int'(taken) != done) idle_when_busy <= 1'b1;
      if (done == count) after <= after + 1;
      if (after > 50 || cycle > limit) begin
        hung <= done != count || o_busy;
        $fclose(log_file);
        finished <= 1'b1;
      end
    end
  end
endmodule
