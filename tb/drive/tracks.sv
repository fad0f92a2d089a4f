// When parts of a drive are in use: with +tracks=FILE, a line "PART BEGIN END" (cycles) for each time, pauses of up to GAP cycles left out.

module tenon_tracks #(
    parameter int PARTS = 4,
    parameter int GAP = 32
) (
    input logic clk,
    input logic rst,
    input logic [63:0] cycle,
    input logic [PARTS-1:0] active
);
    string path;
    int file = 0;
    initial if ($value$plusargs("tracks=%s", path) != 0) file = $fopen(path, "w");
    logic [PARTS-1:0] open;
    logic [63:0] begun[PARTS], last[PARTS];
    always @(posedge clk) if (file != 0) begin
        for (int p = 0; p < PARTS; p++) begin
            if (active[p]) begin
                if (!open[p]) begun[p] <= cycle;
                open[p] <= 1;
                last[p] <= cycle;
            end else if (open[p] && cycle - last[p] > 64'(GAP)) begin
                $fwrite(file, "%0d %0d %0d\n", p, begun[p], last[p] + 1);
                open[p] <= 0;
            end
        end
        if (rst) open <= '0;
    end
    final if (file != 0) begin
        for (int p = 0; p < PARTS; p++) if (open[p]) $fwrite(file, "%0d %0d %0d\n", p, begun[p], last[p] + 1);
        $fclose(file);
    end
endmodule
