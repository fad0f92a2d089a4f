// VECTOR alone: memories with random grants, a list of instructions, and a log of everything that happens.
//
// Log lines are `event cycle [address [mask data]]` in hexadecimal: T taken, R release, D done, N bank stall;
// A X Y S M reads; V C P writes of the vector and the activation buffer and of the parameters. Files hold big-endian words.

module vector_bench
  import bench_files::*;
#(
    parameter int COLS = 4,
    parameter int LINE = 4,
    parameter int ACC_WORDS = 64,
    parameter int VEC_WORDS = 64,
    parameter int PAR_WORDS = 64,
    parameter int ACT_WORDS = 64,
    parameter int TAB_LINES = 64,
    parameter int AHEAD = 0
) (
    output logic finished,
    output logic hung,
    output logic idle_when_busy
);
  logic clk = 1'b0, rst;
  always #1 clk = ~clk;

  logic [32*COLS-1:0] acc[0:ACC_WORDS-1];
  logic [ 8*COLS-1:0] vec[0:VEC_WORDS-1];
  logic [32*COLS-1:0] par[0:PAR_WORDS-1];
  logic [ 8*LINE-1:0] tab[0:TAB_LINES-1];

  logic [1023:0] i_instr;
  logic i_valid, i_ready, poison, o_release, o_done, o_busy, o_settles, o_stall_bank;
  logic acc_en, acc_grant, x_en, x_grant, y_en, y_grant, s_en, n_en, v_en, act_en, p_en;
  logic [$clog2(ACC_WORDS)-1:0] acc_addr;
  logic [$clog2(VEC_WORDS)-1:0] x_addr, y_addr, v_addr;
  logic [$clog2(PAR_WORDS)-1:0] s_addr, n_addr, p_addr;
  logic [$clog2(ACT_WORDS)-1:0] act_addr;
  logic [32*COLS-1:0] acc_data, s_data, n_data, p_data;
  logic [8*COLS-1:0] x_data, y_data, v_data, act_data;
  logic [COLS-1:0] v_mask, act_mask;
  logic [4*COLS-1:0] p_mask;
  logic v_next, act_next, p_next, v_announced, act_announced, p_announced;
  logic [($clog2(VEC_WORDS) > $clog2(ACT_WORDS) ? $clog2(VEC_WORDS) : $clog2(ACT_WORDS))-1:0] next_addr, announced;
  logic tab_en = 1'b0;
  logic [$clog2(TAB_LINES)-1:0] tab_addr = '0;
  logic [8*LINE-1:0] tab_data = '0;

  tenon_vector_engine dut (
      .clk(clk), .rst(rst),
      .i_valid(i_valid), .i_ready(i_ready), .i_instr(i_instr),
      .acc_en(acc_en), .acc_addr(acc_addr), .acc_grant(acc_grant), .acc_data(acc_data),
      .x_en(x_en), .x_addr(x_addr), .x_grant(x_grant), .x_data(x_data),
      .y_en(y_en), .y_addr(y_addr), .y_grant(y_grant), .y_data(y_data),
      .s_en(s_en), .s_addr(s_addr), .s_data(s_data),
      .n_en(n_en), .n_addr(n_addr), .n_data(n_data),
      .v_en(v_en), .v_addr(v_addr), .v_data(v_data), .v_mask(v_mask), .v_grant(1'b1),
      .act_en(act_en), .act_addr(act_addr), .act_data(act_data), .act_mask(act_mask), .act_grant(1'b1),
      .p_en(p_en), .p_addr(p_addr), .p_data(p_data), .p_mask(p_mask), .p_grant(1'b1),
      .v_next(v_next), .act_next(act_next), .p_next(p_next), .next_addr(next_addr),
      .tab_en(tab_en), .tab_addr(tab_addr), .tab_data(tab_data), .tab_mask({LINE{1'b1}}),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy), .o_settles(o_settles), .o_stall_bank(o_stall_bank));

  engine_feed #(.START(8 + TAB_LINES), .AHEAD(AHEAD)) feed (
      .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_instr(i_instr),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy), .o_settles(o_settles),
      .stall(o_stall_bank), .poison(poison),
      .finished(finished), .hung(hung), .idle_when_busy(idle_when_busy));

  int deny, unused;
  int poisoned = TAB_LINES;

  initial begin
    if (!$value$plusargs("deny=%d", deny)) $fatal(1, "vector_bench needs +deny=");
    unused = $fread(acc, open("acc.bin", "rb"));
    unused = $fread(vec, open("vec.bin", "rb"));
    unused = $fread(par, open("par.bin", "rb"));
    unused = $fread(tab, open("tab.bin", "rb"));
  end

  always @(posedge clk) begin
    acc_grant <= !chance(deny);
    x_grant   <= !chance(deny);
    y_grant   <= !chance(deny);

    // Reset, then the tables; then instructions. After the last release, tables and memories lose their contents.
    tab_en <= 1'b0;
    if (feed.cycle >= 6 && feed.cycle < 6 + TAB_LINES) begin
      tab_en   <= 1'b1;
      tab_addr <= $bits(tab_addr)'(feed.cycle - 6);
      tab_data <= tab[feed.cycle-6];
    end
    if (poisoned < TAB_LINES) begin
      poisoned <= poisoned + 1;
      tab_en   <= 1'b1;
      tab_addr <= $bits(tab_addr)'(poisoned);
      tab_data <= '1;
    end

    // Data are there for one cycle; before and after it anything may be.
    acc_data <= acc_en && acc_grant ? acc[acc_addr] : {COLS{$urandom}};
    x_data   <= x_en && x_grant ? vec[x_addr] : (8*COLS)'({COLS{$urandom}});
    y_data   <= y_en && y_grant ? vec[y_addr] : (8*COLS)'({COLS{$urandom}});
    s_data   <= s_en ? par[s_addr] : {COLS{$urandom}};
    n_data   <= n_en ? par[n_addr] : {COLS{$urandom}};

    if (!rst && !finished) begin
      if (acc_en && acc_grant) $fwrite(feed.log_file, "A %h %h\n", feed.cycle, acc_addr);
      if (x_en && x_grant) $fwrite(feed.log_file, "X %h %h\n", feed.cycle, x_addr);
      if (y_en && y_grant) $fwrite(feed.log_file, "Y %h %h\n", feed.cycle, y_addr);
      if (s_en) $fwrite(feed.log_file, "S %h %h\n", feed.cycle, s_addr);
      if (n_en) $fwrite(feed.log_file, "M %h %h\n", feed.cycle, n_addr);
      if (v_en) $fwrite(feed.log_file, "V %h %h %h %h\n", feed.cycle, v_addr, v_mask, v_data);
      if (act_en) $fwrite(feed.log_file, "C %h %h %h %h\n", feed.cycle, act_addr, act_mask, act_data);
      if (p_en) $fwrite(feed.log_file, "P %h %h %h %h\n", feed.cycle, p_addr, p_mask, p_data);
      if ({v_en, act_en, p_en} != {v_announced, act_announced, p_announced}
          || v_en && v_addr != $bits(v_addr)'(announced) || act_en && act_addr != $bits(act_addr)'(announced))
        $fatal(1, "a write is not the one that was announced in the cycle before");
    end
    {v_announced, act_announced, p_announced, announced} <= {v_next, act_next, p_next, next_addr};
    if (poison) begin
      poisoned <= 0;
      for (int n = 0; n < ACC_WORDS; n++) acc[n] <= '1;
      for (int n = 0; n < VEC_WORDS; n++) vec[n] <= '1;
      for (int n = 0; n < PAR_WORDS; n++) par[n] <= '1;
    end
  end
endmodule
