// MATRIX alone: memories, a list of instructions, and a log of everything that happens.
//
// Log lines are `event cycle [address [data]]` in hexadecimal: T taken, R release, D done, N stall; A W Z B K reads of
// activations, weights, zero-points, biases and accumulators; C writes of accumulators. Files hold big-endian words.

module matrix_bench
  import bench_files::*;
#(
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
  logic clk = 1'b0, rst;
  always #1 clk = ~clk;

  logic [ 8*ROWS-1:0] act[0:ACT_WORDS-1];
  logic [ 8*COLS-1:0] wgt[0:WGT_WORDS-1];
  logic [32*COLS-1:0] par[0:PAR_WORDS-1];
  logic [32*COLS-1:0] acc[0:ACC_WORDS-1];

  logic i_valid, i_ready, poison, o_release, o_done, o_busy, o_settles, o_stall_bank, o_stall_bus;
  logic act_en, wgt_en, z_en, b_en, accr_en, accw_en;
  logic [$clog2(ACT_WORDS)-1:0] act_addr;
  logic [$clog2(WGT_WORDS)-1:0] wgt_addr;
  logic [$clog2(PAR_WORDS)-1:0] z_addr, b_addr;
  logic [$clog2(ACC_WORDS)-1:0] accr_addr, accw_addr;
  logic accw_en_then = 1'b0;  // the word comes a cycle after its address
  logic [$clog2(ACC_WORDS)-1:0] accw_addr_then;
  logic [8*ROWS-1:0] act_data;
  logic [8*COLS-1:0] wgt_data;
  logic [32*COLS-1:0] z_data, b_data, accr_data, accw_data;
  logic [1023:0] i_instr;

  tenon_matrix_engine dut (
      .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_instr(i_instr),
      .act_en(act_en), .act_addr(act_addr), .act_data(act_data),
      .wgt_en(wgt_en), .wgt_addr(wgt_addr), .wgt_data(wgt_data),
      .z_en(z_en), .z_addr(z_addr), .z_data(z_data), .b_en(b_en), .b_addr(b_addr), .b_data(b_data),
      .accr_en(accr_en), .accr_addr(accr_addr), .accr_data(accr_data),
      .accw_en(accw_en), .accw_addr(accw_addr), .accw_data(accw_data),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy), .o_settles(o_settles),
      .o_stall_bank(o_stall_bank), .o_stall_bus(o_stall_bus));

  engine_feed feed (
      .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_instr(i_instr),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy), .o_settles(o_settles),
      .stall(o_stall_bank || o_stall_bus), .poison(poison),
      .finished(finished), .hung(hung), .idle_when_busy(idle_when_busy));

  int unused;

  initial begin
    unused = $fread(act, open("act.bin", "rb"));
    unused = $fread(wgt, open("wgt.bin", "rb"));
    unused = $fread(par, open("par.bin", "rb"));
    unused = $fread(acc, open("acc.bin", "rb"));
  end

  always @(posedge clk) begin
    // Data are there for one cycle; before and after it anything may be.
    act_data  <= act_en ? act[act_addr] : (8*ROWS)'({ROWS{$urandom}});
    wgt_data  <= wgt_en ? wgt[wgt_addr] : (8*COLS)'({COLS{$urandom}});
    z_data    <= z_en ? par[z_addr] : {COLS{$urandom}};
    b_data    <= b_en ? par[b_addr] : {COLS{$urandom}};
    accr_data <= accr_en ? acc[accr_addr] : {COLS{$urandom}};
    accw_en_then   <= accw_en;
    accw_addr_then <= accw_addr;
    if (accw_en_then) acc[accw_addr_then] <= accw_data;

    if (!rst && !finished) begin
      if (act_en) $fwrite(feed.log_file, "A %h %h\n", feed.cycle, act_addr);
      if (wgt_en) $fwrite(feed.log_file, "W %h %h\n", feed.cycle, wgt_addr);
      if (z_en) $fwrite(feed.log_file, "Z %h %h\n", feed.cycle, z_addr);
      if (b_en) $fwrite(feed.log_file, "B %h %h\n", feed.cycle, b_addr);
      if (accr_en) $fwrite(feed.log_file, "K %h %h\n", feed.cycle, accr_addr);
      if (accw_en_then) $fwrite(feed.log_file, "C %h %h %h\n", feed.cycle, accw_addr_then, accw_data);
    end
    if (poison) begin
      for (int n = 0; n < ACT_WORDS; n++) act[n] <= '1;
      for (int n = 0; n < WGT_WORDS; n++) wgt[n] <= '1;
      for (int n = 0; n < PAR_WORDS; n++) par[n] <= '1;
    end
  end
endmodule
