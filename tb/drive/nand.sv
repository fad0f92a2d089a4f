// A flash die behind its bus (ONFI 3.1's commands; a word in each cycle of data): phases and times here, cells in nand.cpp.
//
// Read Cache Random: while the array reads a page, the one before is in the cache register; the die is not ready for CACHE_CYCLES from when
// the array has the earlier page, and the array begins with the next one at once.
//
// +nand_errors=PPB   wrong bits of a thousand million that are read (0)
// +nand_bad=N        bad blocks of a thousand from the factory (0)
// +nand_failures=PPM programs of a million that fail (0)
// +nand_seed=N       of all of that (1)

module tenon_nand #(
    parameter int WORD_BYTES = 2,
    parameter int PAGE_BYTES = 8640,  // spare included
    parameter int PAGES = 64,
    parameter int BLOCKS = 64,
    parameter int READ_CYCLES = 6250,
    parameter int PROGRAM_CYCLES = 50000,
    parameter int ERASE_CYCLES = 400000,
    parameter int CACHE_CYCLES = 3 * READ_CYCLES / 25,  // tRCBSY: 3 us of parts that read a page in 25 us
    parameter int LATENCY = 2
) (
    input  logic clk,
    input  logic rst,
    input  logic ce, cle, ale, we, re,
    input  logic [8*WORD_BYTES-1:0] o,
    output logic [8*WORD_BYTES-1:0] i,
    output logic ready
);
    import "DPI-C" function int nand_die(input int page_bytes, input int pages, input int blocks, input real bit_errors, input real failures,
                                         input int bad, input int seed);
    import "DPI-C" function void nand_read(input int number, input int row);
    import "DPI-C" function void nand_turn(input int number, input int cached);
    import "DPI-C" function void nand_clear(input int number);
    import "DPI-C" function int nand_get(input int number, input int column, input int bytes);
    import "DPI-C" function void nand_put(input int number, input int column, input int bytes, input int value);
    import "DPI-C" function int nand_program(input int number, input int row);
    import "DPI-C" function int nand_erase(input int number, input int row);
    import "DPI-C" function void nand_break(input int number, input string what, input int row);

    int errors = 0, bad = 0, failures = 0, seed = 1, given, number;
    initial begin
        given = $value$plusargs("nand_errors=%d", errors);
        given = $value$plusargs("nand_bad=%d", bad);
        given = $value$plusargs("nand_failures=%d", failures);
        given = $value$plusargs("nand_seed=%d", seed);
        number = nand_die(PAGE_BYTES, PAGES, BLOCKS, errors * 1e-9, failures * 1e-6, bad, seed);
    end

    typedef enum logic [2:0] {NONE, READING, PROGRAMMING, ERASING, RESETTING, WAITING, TURNING} work_t;
    work_t work;
    logic [7:0] command;
    logic [2:0] addresses;
    logic [15:0] column;
    logic [23:0] row;
    logic [31:0] left, array_left;  // of the array's work on its own
    logic [23:0] array_row;
    logic failed, status, has_page, goes_on;  // a page was read that no other command has followed; 31h, not 3Fh
    logic [8*WORD_BYTES-1:0] late[LATENCY];
    assign i = late[LATENCY-1];
    assign ready = work == NONE;

    logic [1:0] row_byte;
    assign row_byte = addresses[1:0] - 2'd2;
    logic [8*WORD_BYTES-1:0] word;
    always @(posedge clk) begin
        for (int k = 1; k < LATENCY; k++) late[k] <= late[k-1];
        if (array_left != 0) begin
            array_left <= array_left - 1;
            if (array_left == 1) nand_read(number, 32'(array_row));
        end
        if (work == WAITING) begin
            if (array_left == 0) begin
                nand_turn(number, 32'(goes_on));
                work <= TURNING;
                left <= CACHE_CYCLES;
                if (goes_on) begin
                    array_left <= READ_CYCLES;
                    array_row <= row;
                end
            end
        end else if (work != NONE) begin
            left <= left - 1;
            if (left == 1) begin
                case (work)
                    READING: begin
                        nand_read(number, 32'(row));
                        nand_turn(number, 0);
                    end
                    PROGRAMMING: failed <= nand_program(number, 32'(row)) != 0;
                    ERASING: failed <= nand_erase(number, 32'(row)) != 0;
                    default: ;
                endcase
                work <= NONE;
            end
        end
        if (ce && we && cle) begin
            if (work != NONE && o[7:0] != 8'h70 && o[7:0] != 8'hFF) nand_break(number, "a command while it is busy", 32'(o[7:0]));
            command <= o[7:0];
            status <= o[7:0] == 8'h70;
            if (array_left != 0 && !(o[7:0] inside {8'h00, 8'h31, 8'h3F, 8'h05, 8'hE0, 8'h70, 8'hFF}))
                nand_break(number, "a command while its array reads", 32'(o[7:0]));
            if (o[7:0] inside {8'h60, 8'h80}) has_page <= 0;
            case (o[7:0])
                8'h00, 8'h60, 8'h05: addresses <= 0;
                8'hE0: if (addresses != 2) nand_break(number, "a column without its address", 32'(addresses));
                8'h31, 8'h3F: begin
                    if (!has_page) nand_break(number, "a cached read without one before", 32'(row));
                    if (o[7:0] == 8'h31 && (addresses != 5 || command != 8'h00)) nand_break(number, "a cached read without its row", 32'(row));
                    work <= WAITING;
                    goes_on <= o[7:0] == 8'h31;
                    has_page <= o[7:0] == 8'h31;
                end
                8'h80: begin
                    addresses <= 0;
                    nand_clear(number);
                end
                8'h85: addresses <= 0;
                8'h30: begin
                    work <= READING;
                    left <= READ_CYCLES;
                    has_page <= 1;
                end
                8'h10: begin
                    work <= PROGRAMMING;
                    left <= PROGRAM_CYCLES;
                end
                8'hD0: begin
                    work <= ERASING;
                    left <= ERASE_CYCLES;
                end
                8'hFF: begin
                    work <= RESETTING;
                    left <= 1000;
                end
                8'h70: ;
                default: nand_break(number, "a command that is not known", 32'(o[7:0]));
            endcase
        end
        if (ce && we && ale) begin
            addresses <= addresses + 1;
            if (command == 8'h60) row[8*addresses[1:0]+:8] <= o[7:0];
            else if (addresses < 2) column[8*addresses[0]+:8] <= o[7:0];
            else row[8*row_byte+:8] <= o[7:0];
        end
        if (ce && we && !cle && !ale) begin
            if (work != NONE) nand_break(number, "data while it is busy", 32'(row));
            nand_put(number, 32'(column), WORD_BYTES, 32'(o));
            column <= column + 16'(WORD_BYTES);
        end
        if (ce && re) begin
            word = '0;
            if (status) word[0] = failed;
            else begin
                if (work != NONE) nand_break(number, "data are read while it is busy", 32'(row));
                word = (8*WORD_BYTES)'(nand_get(number, 32'(column), WORD_BYTES));
                column <= column + 16'(WORD_BYTES);
            end
            late[0] <= word;
        end
        if (rst) begin
            work <= NONE;
            {status, failed, has_page} <= '0;
            array_left <= 0;
            command <= 0;
        end
    end
endmodule
