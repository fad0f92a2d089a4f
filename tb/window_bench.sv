// WINDOW alone: memories in words of its lanes, a list of instructions, and a log of everything that happens.
//
// Log lines are `event cycle [address [data]]` in hexadecimal: T taken, R release, D done, N stall; A W P K granted reads of
// activations, weights, parameters and accumulators; C granted writes of accumulators. Files hold big-endian words.
// `+deny=` is the share of cycles, in percent, in which a port is not granted.

module window_bench
  import bench_files::*;
#(
    parameter int LANES = 4,
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

  logic [ 8*LANES-1:0] act[0:ACT_WORDS-1];
  logic [ 8*LANES-1:0] wgt[0:WGT_WORDS-1];
  logic [32*LANES-1:0] par[0:PAR_WORDS-1];
  logic [32*LANES-1:0] acc[0:ACC_WORDS-1];

  logic i_valid, i_ready, poison, o_release, o_done, o_busy, o_stall_bank;
  logic act_en, wgt_en, par_en, accr_en, accw_en;
  logic [1:0] act_free = 2'b00;  // banks
  logic act_grant;
  logic wgt_grant = 1'b0, par_grant = 1'b0, accr_grant = 1'b0, accw_grant = 1'b0;
  logic [$clog2(ACT_WORDS)-1:0] act_addr;
  logic [$clog2(WGT_WORDS)-1:0] wgt_addr;
  logic [$clog2(PAR_WORDS)-1:0] par_addr;
  logic [$clog2(ACC_WORDS)-1:0] accr_addr, accw_addr;
  logic [8*LANES-1:0] act_data, wgt_data;
  logic [32*LANES-1:0] par_data, accr_data, accw_data;
  logic [1023:0] i_instr;

  assign act_grant = act_free[act_addr[$clog2(ACT_WORDS)-1]];

  tenon_window_engine dut (
      .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_instr(i_instr),
      .act_en(act_en), .act_addr(act_addr), .act_free(act_free), .act_data(act_data),
      .wgt_en(wgt_en), .wgt_addr(wgt_addr), .wgt_grant(wgt_grant), .wgt_data(wgt_data),
      .par_en(par_en), .par_addr(par_addr), .par_grant(par_grant), .par_data(par_data),
      .accr_en(accr_en), .accr_addr(accr_addr), .accr_grant(accr_grant), .accr_data(accr_data),
      .accw_en(accw_en), .accw_addr(accw_addr), .accw_grant(accw_grant), .accw_data(accw_data),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy), .o_stall_bank(o_stall_bank));

  engine_feed feed (
      .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_instr(i_instr),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy), .o_settles(1'b0), .stall(o_stall_bank), .poison(poison),
      .finished(finished), .hung(hung), .idle_when_busy(idle_when_busy));

  int deny, unused;

  initial begin
    if (!$value$plusargs("deny=%d", deny)) $fatal(1, "window_bench needs +deny=");
    unused = $fread(act, open("act.bin", "rb"));
    unused = $fread(wgt, open("wgt.bin", "rb"));
    unused = $fread(par, open("par.bin", "rb"));
    unused = $fread(acc, open("acc.bin", "rb"));
  end

  always @(posedge clk) begin
    act_free   <= {!chance(deny), !chance(deny)};
    wgt_grant  <= !chance(deny);
    par_grant  <= !chance(deny);
    accr_grant <= !chance(deny);
    accw_grant <= !chance(deny);

    // Data are there for one cycle; before and after it anything may be.
    act_data  <= act_en && act_grant ? act[act_addr] : (8*LANES)'({LANES{$urandom}});
    wgt_data  <= wgt_en && wgt_grant ? wgt[wgt_addr] : (8*LANES)'({LANES{$urandom}});
    par_data  <= par_en && par_grant ? par[par_addr] : {LANES{$urandom}};
    accr_data <= accr_en && accr_grant ? acc[accr_addr] : {LANES{$urandom}};
    if (accw_en && accw_grant) acc[accw_addr] <= accw_data;

    if (!rst && !finished) begin
      if (act_en && act_grant) $fwrite(feed.log_file, "A %h %h\n", feed.cycle, act_addr);
      if (wgt_en && wgt_grant) $fwrite(feed.log_file, "W %h %h\n", feed.cycle, wgt_addr);
      if (par_en && par_grant) $fwrite(feed.log_file, "P %h %h\n", feed.cycle, par_addr);
      if (accr_en && accr_grant) $fwrite(feed.log_file, "K %h %h\n", feed.cycle, accr_addr);
      if (accw_en && accw_grant) $fwrite(feed.log_file, "C %h %h %h\n", feed.cycle, accw_addr, accw_data);
    end
    if (poison) begin
      for (int n = 0; n < ACT_WORDS; n++) act[n] <= '1;
      for (int n = 0; n < WGT_WORDS; n++) wgt[n] <= '1;
      for (int n = 0; n < PAR_WORDS; n++) par[n] <= '1;
    end
  end
endmodule
