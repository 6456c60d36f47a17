/* What a leaf is: the one calling convention between the executor and the compiled kernels.
 *
 * A leaf computes the output items [begin, end) of one step. Its arguments are one struct whose members are all eight
 * bytes wide (fields.h), so that the planner can fill it by name without a compiler. A leaf never allocates, never
 * touches Python, writes only the items it was given, and gives an item the same bits whatever range it came in.
 */
#ifndef GF_ABI_H
#define GF_ABI_H

#include <stdint.h>
#include <stddef.h>

typedef struct gf_worker {
    char *scratch;  /* private to the calling thread during the call; 64-byte aligned; as large as the step asked for */
    int64_t row;    /* set when a leaf fails: the flat position of the offending element */
    int64_t value;  /* set when a leaf fails: its value */
} gf_worker;

enum { GF_OK = 0, GF_INDEX_OUT_OF_RANGE = 1, GF_NOT_AN_INTEGER = 2 };

typedef int (*gf_leaf)(const void *args, int64_t begin, int64_t end, gf_worker *worker);

typedef struct gf_leaf_row {
    const char *name;
    gf_leaf run;
} gf_leaf_row;

typedef struct gf_leaf_table {
    const char *isa;
    int64_t vector;            /* float32 lanes of one vector */
    int64_t tile_m, tile_n;    /* rows and columns of the GEMM tile; tile_n is also the width of a packed panel */
    const gf_leaf_row *rows;   /* ends with a null name */
} gf_leaf_table;

extern const gf_leaf_table gf_leaves_base, gf_leaves_avx2, gf_leaves_avx512;

#endif
