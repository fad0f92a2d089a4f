// The systolic array alone, random operands in every cycle, weights loading all the time: how fast does it simulate?

module array_speed #(
    parameter int ROWS = 16,
    parameter int COLS = 16,
    parameter int CYCLES = 1
) (
    output logic finished,
    output logic [31:0] digest
);
  localparam int Words = (9 * (ROWS > COLS ? ROWS : COLS) + 31) / 32;

  logic clk = 1'b0;
  always #1 clk = ~clk;

  int cycle = 0;
  logic swap, load;
  logic [$clog2(ROWS)-1:0] beat;
  logic [31:0] state[2*Words];  // xorshift generators, so that no operand is constant
  logic [32*Words-1:0] x, w;
  logic [32*COLS-1:0] sums;

  initial begin
    finished = 1'b0;
    digest = '0;
    for (int i = 0; i < 2 * Words; i++) state[i] = 32'h9E37_79B9 * (32'(i) + 32'd1);
  end

  function automatic logic [31:0] stepped(logic [31:0] s);
    logic [31:0] t;
    t = s ^ (s << 13);
    t = t ^ (t >> 17);
    return t ^ (t << 5);
  endfunction

  function automatic logic [31:0] folded(logic [32*COLS-1:0] v);
    logic [31:0] total;
    total = '0;
    for (int c = 0; c < COLS; c++) total ^= v[32*c+:32];
    return total;
  endfunction

  always @(posedge clk) begin
    cycle <= cycle + 1;
    finished <= cycle >= CYCLES;
    for (int i = 0; i < Words; i++) begin
      x[32*i+:32] <= state[i];
      w[32*i+:32] <= state[Words+i];
    end
    for (int i = 0; i < 2 * Words; i++) state[i] <= stepped(state[i]);
    beat <= $clog2(ROWS)'(cycle);
    load <= 1'b1;
    swap <= $clog2(ROWS)'(cycle) == '1;
    digest <= {digest[30:0], digest[31]} ^ folded(sums);  // every sum is used
  end

  tenon_array dut (
      .clk(clk), .rst(1'b0), .x(x[9*ROWS-1:0]), .swap(swap), .load(load), .beat(beat), .w(w[9*COLS-1:0]), .transposed(1'b0), .now($clog2(ROWS > COLS ? ROWS : COLS)'(cycle)),
      .o_sums(sums));
endmodule
