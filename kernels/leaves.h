/* All leaves for one instruction set: leaf_<isa>.c sets GF_ISA and the target, then includes this file. */
#include <math.h>
#include <string.h>

#include "fields.h"
#include "vec.h"
#include "activation.h"
#include "elementwise.h"
#include "chain.h"
#include "movement.h"
#include "pool.h"
#include "reduce.h"
#include "gemm.h"
#include "conv.h"
#include "winograd.h"
#include "depthwise.h"
#include "inverted.h"
#include "local.h"
#include "resize.h"
#include "recurrent_product.h"
#include "recurrent_gates.h"
#include "recurrent.h"
#include "matmul.h"
#include "norm.h"
#include "logic.h"
#include "peak.h"

#define GF_PASTE2(a, b) a##b
#define GF_PASTE(a, b) GF_PASTE2(a, b)
#define GF_STRING2(a) #a
#define GF_STRING(a) GF_STRING2(a)
#define GF_LEAF_ROW(leaf, fields) {#leaf, gf_##leaf},

static const gf_leaf_row gf_rows[] = {GF_LEAVES(GF_LEAF_ROW){0, 0}};
const gf_leaf_table GF_PASTE(gf_leaves_, GF_ISA) = {GF_STRING(GF_ISA), GF_VL, GF_TILE_M, GF_TILE_N, gf_rows};
