/* Some leaves against plain loops, run by the loop with two threads: whole numbers exactly, others nearly.
 *
 * Built by `make aarch64` with a cross compiler, and run by an emulator where there is one; any other compiler does as
 * well. Prints what it checked and ends with 0 when all results are right.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "loop.h"

enum { THREADS = 2, MOST = 40000 };

static uint64_t gf_seed = 1;
static float gf_x[MOST], gf_w[MOST], gf_packed[MOST], gf_bias[64], gf_y[MOST], gf_scratch[THREADS][MOST];

static float gf_next(int whole)
{
    gf_seed = gf_seed * 6364136223846793005u + 1442695040888963407u;
    const int64_t number = (int64_t)(gf_seed >> 33) % 9 - 4;
    return whole ? (float)number : (float)number / 3.0f;
}

static gf_leaf gf_find(const char *name)
{
    for (const gf_leaf_row *row = gf_leaves_base.rows; row->name; ++row)
        if (!strcmp(row->name, name))
            return row->run;
    abort();
}

/* Panels of tile_n columns, the last one as wide as whole vectors. */
static void gf_pack(const float *w, float *packed, int64_t k, int64_t n)
{
    const int64_t tile = gf_leaves_base.tile_n, lanes = gf_leaves_base.vector;
    for (int64_t start = 0; start < n; start += tile) {
        const int64_t columns = n - start < tile ? n - start : tile, width = (columns + lanes - 1) / lanes * lanes;
        for (int64_t i = 0; i < k; ++i)
            for (int64_t j = 0; j < width; ++j)
                *packed++ = j < columns ? w[i * n + start + j] : 0.0f;
    }
}

static void gf_run(const char *leaf, const void *args, int64_t items)
{
    const gf_step step = {gf_find(leaf), args, items, 1, 1, 1};
    gf_worker workers[THREADS];
    gf_program program;
    memset(workers, 0, sizeof workers);
    memset(&program, 0, sizeof program);
    for (int i = 0; i < THREADS; ++i)
        workers[i].scratch = (char *)gf_scratch[i];
    program.steps = &step;
    program.count = 1;
    program.workers = workers;
    program.threads = THREADS;
    memset(gf_y, 0xff, sizeof gf_y);
    if (gf_loop(&program) != GF_DONE)
        abort();
}

static int gf_wrong(const char *what, int64_t at, double found, double wanted, double allowed)
{
    if (fabs(found - wanted) <= allowed)
        return 0;
    fprintf(stderr, "%s: element %lld is %.9g, not %.9g\n", what, (long long)at, found, wanted);
    return 1;
}

static int gf_check_gemm(int64_t m, int64_t n, int64_t k, int whole)
{
    gf_gemm_f32_args a;
    memset(&a, 0, sizeof a);
    for (int64_t i = 0; i < m * k; ++i)
        gf_x[i] = gf_next(whole);
    for (int64_t i = 0; i < k * n; ++i)
        gf_w[i] = gf_next(whole);
    for (int64_t i = 0; i < n; ++i)
        gf_bias[i] = gf_next(whole);
    gf_pack(gf_w, gf_packed, k, n);
    a.x = gf_x;
    a.w = gf_packed;
    a.bias = gf_bias;
    a.y = gf_y;
    a.m = m;
    a.k = a.ldx = k;
    a.n = a.ldy = n;
    a.block_m = gf_leaves_base.tile_m;
    a.block_n = 2 * gf_leaves_base.tile_n;
    a.act = GF_ACT_relu;
    gf_run("gemm_f32", &a, ((m + a.block_m - 1) / a.block_m) * ((n + a.block_n - 1) / a.block_n));
    for (int64_t i = 0; i < m * n; ++i) {
        double sum = gf_bias[i % n], size = 0;
        for (int64_t j = 0; j < k; ++j) {
            sum += (double)gf_x[i / n * k + j] * gf_w[j * n + i % n];
            size += fabs((double)gf_x[i / n * k + j] * gf_w[j * n + i % n]);
        }
        if (gf_wrong("gemm", i, gf_y[i], sum > 0 ? sum : 0, whole ? 0 : 1e-6 * (size + 1)))
            return 1;
    }
    return 0;
}

/* 3x3 with one pixel around, over `h` x `w` pixels. */
static int gf_check_conv(int64_t h, int64_t w, int64_t in_c, int64_t out_c, int64_t stride)
{
    const int64_t out_h = (h - 1) / stride + 1, out_w = (w - 1) / stride + 1, k = 9 * in_c;
    gf_conv_f32_args a;
    memset(&a, 0, sizeof a);
    for (int64_t i = 0; i < 2 * h * w * in_c; ++i)
        gf_x[i] = gf_next(1);
    for (int64_t i = 0; i < k * out_c; ++i)
        gf_w[i] = gf_next(1);
    gf_pack(gf_w, gf_packed, k, out_c);
    a.x = gf_x;
    a.w = gf_packed;
    a.y = gf_y;
    a.batch = 2;
    a.groups = a.in_d = a.out_d = a.full_d = a.kernel_d = a.stride_d = 1;
    a.dilation_d = a.dilation_h = a.dilation_w = a.step_d = a.step_h = a.step_w = a.pad_h = a.pad_w = 1;
    a.in_c = a.ldx = in_c;
    a.out_c = a.ldy = a.ldr = out_c;
    a.in_h = h;
    a.in_w = w;
    a.out_h = a.full_h = out_h;
    a.out_w = a.full_w = out_w;
    a.kernel_h = a.kernel_w = 3;
    a.stride_h = a.stride_w = stride;
    a.block_m = out_w;
    a.block_n = (out_c + gf_leaves_base.tile_n - 1) / gf_leaves_base.tile_n * gf_leaves_base.tile_n;
    a.act = GF_ACT_linear;
    gf_run("conv_f32", &a, 2 * out_h);
    for (int64_t i = 0; i < 2 * out_h * out_w * out_c; ++i) {
        const int64_t c = i % out_c, x = i / out_c % out_w, y = i / out_c / out_w % out_h, b = i / out_c / out_w / out_h;
        double sum = 0;
        for (int64_t tap = 0; tap < 9; ++tap) {
            const int64_t row = y * stride + tap / 3 - 1, column = x * stride + tap % 3 - 1;
            for (int64_t j = 0; j < in_c && row >= 0 && row < h && column >= 0 && column < w; ++j)
                sum += (double)gf_x[((b * h + row) * w + column) * in_c + j] * gf_w[(tap * in_c + j) * out_c + c];
        }
        if (gf_wrong("conv", i, gf_y[i], sum, 0))
            return 1;
    }
    return 0;
}

static int gf_check_unary(int64_t act, double (*exact)(double), const char *name)
{
    gf_unary_f32_args a;
    memset(&a, 0, sizeof a);
    for (int64_t i = 0; i < 4001; ++i)
        gf_x[i] = (float)(i - 2000) / 100.0f;
    a.x = gf_x;
    a.y = gf_y;
    a.n = 4001;
    a.act = act;
    gf_run("unary_f32", &a, 4001);
    for (int64_t i = 0; i < 4001; ++i)
        if (gf_wrong(name, i, gf_y[i], exact(gf_x[i]), 2.5e-7 * fabs(exact(gf_x[i]))))
            return 1;
    return 0;
}

static double gf_logistic(double x) { return 1 / (1 + exp(-x)); }

int main(void)
{
    for (int64_t m = 1; m < 20; m += 3)
        for (int64_t n = 1; n < 50; n += 4)
            if (gf_check_gemm(m, n, 37, 1) || gf_check_gemm(m, n, 64, 0))
                return 1;
    for (int64_t stride = 1; stride < 4; ++stride)
        for (int64_t w = 1; w < 30; w += 7)
            if (gf_check_conv(9, w, 5, 13, stride) || gf_check_conv(4, w, 16, 24, stride))
                return 1;
    if (gf_check_unary(GF_ACT_exponential, exp, "exp") || gf_check_unary(GF_ACT_tanh, tanh, "tanh") ||
        gf_check_unary(GF_ACT_sigmoid, gf_logistic, "sigmoid") || gf_check_unary(GF_ACT_erf, erf, "erf"))
        return 1;
    printf("182 products, 30 convolutions and 4 functions are right\n");
    return 0;
}
