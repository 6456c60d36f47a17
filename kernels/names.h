/* The names in fields.h as strings, for the one module that shows them to Python. */
#ifndef GF_NAMES_H
#define GF_NAMES_H

#include "fields.h"

#define GF_NAME(name) #name " "
#define GF_POINTER_NAME(type, name) "P:" #name " "
#define GF_INTEGER_NAME(name) "I:" #name " "
#define GF_FLOAT_NAME(name) "F:" #name " "
#define GF_FIELD_ROW(leaf, fields) {#leaf, fields(GF_POINTER_NAME, GF_INTEGER_NAME, GF_FLOAT_NAME)},

typedef struct gf_field_row {
    const char *leaf;
    const char *fields;
} gf_field_row;

static const gf_field_row gf_field_rows[] = {GF_LEAVES(GF_FIELD_ROW){0, 0}};
static const char gf_activation_names[] = GF_ACTIVATIONS(GF_NAME);
static const char gf_binary_names[] = GF_BINARIES(GF_NAME);
static const char gf_reduction_names[] = GF_REDUCTIONS(GF_NAME);
static const char gf_pool_names[] = GF_POOLS(GF_NAME);
static const char gf_index_kind_names[] = GF_INDEX_KINDS(GF_NAME);

static int gf_cpu_has(int isa) /* 0 base, 1 avx2, 2 avx512 */
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (isa == 2)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
    if (isa == 1)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return isa == 0;
}

#endif
