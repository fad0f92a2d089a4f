// VECTOR alone: memories with random grants, a list of instructions, and a log of everything that happens.
//
// Log lines are `event cycle [address [mask data]]` in hexadecimal: T taken, R release, D done, N bank stall;
// A X Y S M reads; V C P writes of the vector and the activation buffer and of the parameters. Files hold big-endian words.

module vector_bench #(
    parameter int COLS = 4,
    parameter int LINE = 4,
    parameter int ACC_WORDS = 64,
    parameter int VEC_WORDS = 64,
    parameter int PAR_WORDS = 64,
    parameter int ACT_WORDS = 64,
    parameter int TAB_LINES = 64
) (
    output logic finished,
    output logic hung,
    output logic idle_when_busy
);
  logic clk = 1'b0, rst = 1'b1;
  always #1 clk = ~clk;

  logic [32*COLS-1:0] acc[0:ACC_WORDS-1];
  logic [ 8*COLS-1:0] vec[0:VEC_WORDS-1];
  logic [32*COLS-1:0] par[0:PAR_WORDS-1];
  logic [ 8*LINE-1:0] tab[0:TAB_LINES-1];
  logic [     1023:0] instructions[0:4095];

  logic i_valid = 1'b0, i_ready, o_release, o_done, o_busy, o_stall_bank;
  logic acc_en, acc_grant, x_en, x_grant, y_en, y_grant, s_en, n_en, v_en, act_en, p_en;
  logic [$clog2(ACC_WORDS)-1:0] acc_addr;
  logic [$clog2(VEC_WORDS)-1:0] x_addr, y_addr, v_addr;
  logic [$clog2(PAR_WORDS)-1:0] s_addr, n_addr, p_addr;
  logic [$clog2(ACT_WORDS)-1:0] act_addr;
  logic [32*COLS-1:0] acc_data, s_data, n_data, p_data;
  logic [8*COLS-1:0] x_data, y_data, v_data, act_data;
  logic [COLS-1:0] v_mask, act_mask;
  logic [4*COLS-1:0] p_mask;
  logic tab_en = 1'b0;
  logic [$clog2(TAB_LINES)-1:0] tab_addr = '0;
  logic [8*LINE-1:0] tab_data = '0;

  tenon_vector_engine dut (
      .clk(clk), .rst(rst),
      .i_valid(i_valid), .i_ready(i_ready), .i_instr(instructions[taken]),
      .acc_en(acc_en), .acc_addr(acc_addr), .acc_grant(acc_grant), .acc_data(acc_data),
      .x_en(x_en), .x_addr(x_addr), .x_grant(x_grant), .x_data(x_data),
      .y_en(y_en), .y_addr(y_addr), .y_grant(y_grant), .y_data(y_data),
      .s_en(s_en), .s_addr(s_addr), .s_data(s_data),
      .n_en(n_en), .n_addr(n_addr), .n_data(n_data),
      .v_en(v_en), .v_addr(v_addr), .v_data(v_data), .v_mask(v_mask), .v_grant(1'b1),
      .act_en(act_en), .act_addr(act_addr), .act_data(act_data), .act_mask(act_mask), .act_grant(1'b1),
      .p_en(p_en), .p_addr(p_addr), .p_data(p_data), .p_mask(p_mask), .p_grant(1'b1),
      .tab_en(tab_en), .tab_addr(tab_addr), .tab_data(tab_data), .tab_mask({LINE{1'b1}}),
      .o_release(o_release), .o_done(o_done), .o_busy(o_busy), .o_stall_bank(o_stall_bank));

  string folder;
  int stall, gap, count, limit, log_file, file, unused;
  logic poison;
  int cycle = 0, released = 0, done = 0, after = 0, poisoned = TAB_LINES;
  logic [11:0] taken = '0;

  function automatic int open(string name);
    return $fopen({folder, "/", name}, "rb");
  endfunction

  initial begin
    finished = 1'b0;
    hung = 1'b0;
    idle_when_busy = 1'b0;
    if (!$value$plusargs("folder=%s", folder) || !$value$plusargs("stall=%d", stall)
        || !$value$plusargs("gap=%d", gap) || !$value$plusargs("count=%d", count)
        || !$value$plusargs("limit=%d", limit))
      $fatal(1, "vector_bench needs +folder= +stall= +gap= +count= +limit=");
    poison = $test$plusargs("poison") != 0;
    file = open("acc.bin");
    unused = $fread(acc, file);
    file = open("vec.bin");
    unused = $fread(vec, file);
    file = open("par.bin");
    unused = $fread(par, file);
    file = open("tab.bin");
    unused = $fread(tab, file);
    file = open("instructions.bin");
    unused = $fread(instructions, file);
    log_file = $fopen({folder, "/log.txt"}, "w");
  end

  function automatic logic chance(int percent);
    return $urandom_range(99) < percent;
  endfunction

  always @(posedge clk) begin
    cycle <= cycle + 1;
    acc_grant <= !chance(stall);
    x_grant   <= !chance(stall);
    y_grant   <= !chance(stall);

    // Reset, then the tables; then instructions. After the last release, tables and memories lose their contents.
    tab_en <= 1'b0;
    if (cycle == 4) rst <= 1'b0;
    if (cycle >= 6 && cycle < 6 + TAB_LINES) begin
      tab_en   <= 1'b1;
      tab_addr <= $bits(tab_addr)'(cycle - 6);
      tab_data <= tab[cycle-6];
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

    if (cycle > 8 + TAB_LINES) begin
      if (i_valid && i_ready) begin
        taken   <= taken + 1;
        i_valid <= int'(taken) + 1 < count && !chance(gap);
        $fwrite(log_file, "T %h\n", cycle);
      end else if (!i_valid) i_valid <= int'(taken) < count && !chance(gap);

      if (acc_en && acc_grant) $fwrite(log_file, "A %h %h\n", cycle, acc_addr);
      if (x_en && x_grant) $fwrite(log_file, "X %h %h\n", cycle, x_addr);
      if (y_en && y_grant) $fwrite(log_file, "Y %h %h\n", cycle, y_addr);
      if (s_en) $fwrite(log_file, "S %h %h\n", cycle, s_addr);
      if (n_en) $fwrite(log_file, "M %h %h\n", cycle, n_addr);
      if (v_en) $fwrite(log_file, "V %h %h %h %h\n", cycle, v_addr, v_mask, v_data);
      if (act_en) $fwrite(log_file, "C %h %h %h %h\n", cycle, act_addr, act_mask, act_data);
      if (p_en) $fwrite(log_file, "P %h %h %h %h\n", cycle, p_addr, p_mask, p_data);
      if (o_stall_bank) $fwrite(log_file, "N %h\n", cycle);
      if (o_release) begin
        $fwrite(log_file, "R %h\n", cycle);
        released <= released + 1;
        if (poison && released + 1 == count) begin
          poisoned <= 0;
          for (int n = 0; n < ACC_WORDS; n++) acc[n] <= '1;
          for (int n = 0; n < VEC_WORDS; n++) vec[n] <= '1;
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
