/* The arguments of every leaf, each named once: P(type, name) a pointer, I(name) an int64, F(name) a double.
 *
 * Structs are made from these lists, and so is the table by which the planner fills them. Pointers that a step does
 * not use are null. Sizes and strides (ld...) count elements, unless a comment says bytes. `act`, `alpha`, `beta`,
 * `gamma` are the epilogue: an entry of GF_ACTIVATIONS and its numbers, applied last.
 */
#ifndef GF_FIELDS_H
#define GF_FIELDS_H

#include "abi.h"

/* y = act(f(x)); the comment is the function, with its numbers */
#define GF_ACTIVATIONS(A) \
    A(linear)          /* x */ \
    A(relu)            /* max(x, 0) */ \
    A(relu_general)    /* beta if x >= beta, x if gamma <= x < beta, alpha * (x - gamma) otherwise; in that order */ \
    A(clip)            /* min(max(x, alpha), beta) */ \
    A(sigmoid)         /* 1 / (1 + exp(-x)) */ \
    A(tanh) \
    A(hard_sigmoid)    /* min(max(alpha * x + beta, 0), 1) */ \
    A(elu)             /* x if x > 0, alpha * (exp(x) - 1) otherwise */ \
    A(selu)            /* 1.0507009873554805 * elu with alpha = 1.6732632423543772 */ \
    A(softplus)        /* log(1 + exp(x)) */ \
    A(softsign)        /* x / (1 + |x|) */ \
    A(exponential) \
    A(silu)            /* x * sigmoid(x) */ \
    A(gelu)            /* x * (1 + erf(x / sqrt 2)) / 2 */ \
    A(gelu_tanh)       /* x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 */ \
    A(affine)          /* alpha * x + beta */ \
    A(negative) \
    A(absolute) \
    A(square) \
    A(sqrt) \
    A(rsqrt)           /* 1 / sqrt(x) */ \
    A(reciprocal) \
    A(log) \
    A(erf)

#define GF_BINARIES(A) A(add) A(subtract) A(multiply) A(divide) A(maximum) A(minimum)

#define GF_REDUCTIONS(A) A(sum) A(mean) A(max) A(min)

#define GF_POOLS(A) A(max) A(average)

#define GF_INDEX_KINDS(A) A(int32) A(int64) A(float32)

#define GF_RECURRENT_KINDS(A) A(lstm) A(gru) A(rnn)

#define GF_TYPES(A) A(float32) A(int32) A(int64) A(bool)

/* `neither` is true where both operands are false; with one operand twice it is "not". */
#define GF_COMPARISONS(A) \
    A(equal) A(not_equal) A(less) A(less_equal) A(greater) A(greater_equal) A(logical_and) A(logical_or) A(neither)

#define GF_EPILOGUE_FIELDS(P, I, F) I(act) F(alpha) F(beta) F(gamma)

/* y[m, n] = act(x[m, k] . w[k, n] + bias[n] + residual[m, n]). w is packed in panels (see gemm.h).
 * Items: ceil(m / block_m) row blocks x ceil(n / block_n) column blocks, row blocks outermost; block_n is a multiple
 * of tile_n. With block_k, that many elements of k at a time and x copied into scratch: block_m rows of block_k rounded
 * up to an odd number of lines, and, where block_k < k, of 512 more floats. */
#define GF_GEMM_FIELDS(P, I, F) \
    P(const float, x) P(const float, w) P(const float, bias) P(const float, residual) P(float, y) \
    I(m) I(n) I(k) I(ldx) I(ldr) I(ldy) I(block_m) I(block_n) I(block_k) GF_EPILOGUE_FIELDS(P, I, F)

/* Convolution of up to three dimensions, channels last, x (batch, in_d, in_h, in_w, groups * in_c) with ldx elements
 * from pixel to pixel, y (batch, out_d, out_h, out_w, groups * out_c). in_c and out_c are per group. pad_* is what
 * stands before the first element. w: groups one after another, each the packed panels of the matrix
 * (kernel_d * kernel_h * kernel_w * in_c, out_c). y lies in a larger image: output pixel (d, h, w)
 * is its pixel (d * step_d, h * step_h, w * step_w) of (full_d, full_h, full_w), and so is the residual's.
 * Items: batch x groups x ceil(out_d * out_h * out_w / block_m) x ceil(out_c / block_n), batch outermost.
 * Scratch: block_m * kernel_d * kernel_h * kernel_w * in_c floats. */
#define GF_CONV_FIELDS(P, I, F) \
    P(const float, x) P(const float, w) P(const float, bias) P(const float, residual) P(float, y) \
    I(batch) I(groups) I(in_c) I(out_c) I(in_d) I(in_h) I(in_w) I(out_d) I(out_h) I(out_w) \
    I(kernel_d) I(kernel_h) I(kernel_w) I(stride_d) I(stride_h) I(stride_w) \
    I(dilation_d) I(dilation_h) I(dilation_w) I(pad_d) I(pad_h) I(pad_w) \
    I(step_d) I(step_h) I(step_w) I(full_d) I(full_h) I(full_w) \
    I(ldx) I(ldr) I(ldy) I(block_m) I(block_n) GF_EPILOGUE_FIELDS(P, I, F)

/* A kernel_d x 3 x 3 convolution of stride 1 over x (batch, in_d, in_h, in_w, in_c), with `tile` (4 or 2) the side of
 * its output tiles and side = tile + 2. kernel: the weights as they are, (kernel_d, 3, 3, in_c, out_c). w: transformed,
 * for one chunk of columns after another and each of side * side frequencies the packed panels of (kernel_d * in_c,
 * columns); chunk is a multiple of tile_n. bound[0]: see winograd.h. The places of tiles are numbered across the batch.
 * Items: ceil(places / block_m) x ceil(out_d / block_d) x ceil(out_c / block_n), places outermost; block_n is a multiple
 * of chunk. Scratch, with c for in_c in whole vectors and e = block_d + kernel_d - 1: side * side * (block_m * (e * c +
 * block_d * chunk) + 32) + (9 * kernel_d + 1) * c + block_m * e floats. */
#define GF_WINOGRAD_FIELDS(P, I, F) \
    P(const float, x) P(const float, kernel) P(const float, w) P(const float, bound) P(const float, bias) \
    P(const float, residual) P(float, y) I(batch) I(in_c) I(out_c) I(in_d) I(in_h) I(in_w) I(out_d) I(out_h) I(out_w) \
    I(kernel_d) I(pad_d) I(pad_h) I(pad_w) I(ldx) I(ldr) I(ldy) I(tile) I(chunk) I(block_d) I(block_m) I(block_n) \
    GF_EPILOGUE_FIELDS(P, I, F)

/* Depthwise convolution: as conv_f32, x with `channels` channels, y with channels * multiplier, output channel
 * c * multiplier + m made from channel c; w (kernel_d, kernel_h, kernel_w, multiplier, channels).
 * Items: batch * out_d * out_h output rows. Scratch: out_w * channels floats where multiplier is above 1. */
#define GF_DEPTHWISE_FIELDS(P, I, F) \
    P(const float, x) P(const float, w) P(const float, bias) P(const float, residual) P(float, y) \
    I(batch) I(channels) I(multiplier) I(in_d) I(in_h) I(in_w) I(out_d) I(out_h) I(out_w) \
    I(kernel_d) I(kernel_h) I(kernel_w) I(stride_d) I(stride_h) I(stride_w) \
    I(dilation_d) I(dilation_h) I(dilation_w) I(pad_d) I(pad_h) I(pad_w) \
    I(ldx) I(ldr) I(ldy) GF_EPILOGUE_FIELDS(P, I, F)

/* An inverted residual block over x (batch, in_h, in_w, in_c): e = expand_act(x . w_expand + bias_expand), hidden
 * channels, w_expand the packed panels of (in_c, hidden); d = depthwise_act of the depthwise convolution of e with
 * w_depthwise (kernel_h, kernel_w, hidden) + bias_depthwise; y = act(d . w + bias + residual), w the packed panels of
 * (hidden, out_c). w_expand null: e is x. w null: y is d, and out_c is hidden.
 * Items: batch * ceil(out_h / strip) strips of output rows, made in bands of `rows`.
 * Scratch: depth * in_w * hidden floats where w_expand is given, depth = (rows - 1) * stride_h +
 * (kernel_h - 1) * dilation_h + 1, and rows * out_w * hidden floats where w is. */
#define GF_INVERTED_RESIDUAL_FIELDS(P, I, F) \
    P(const float, x) P(const float, w_expand) P(const float, bias_expand) P(const float, w_depthwise) \
    P(const float, bias_depthwise) P(const float, w) P(const float, bias) P(const float, residual) P(float, y) \
    I(batch) I(in_c) I(hidden) I(out_c) I(in_h) I(in_w) I(out_h) I(out_w) I(kernel_h) I(kernel_w) \
    I(stride_h) I(stride_w) I(dilation_h) I(dilation_w) I(pad_h) I(pad_w) I(ldx) I(ldr) I(ldy) I(strip) I(rows) \
    I(expand_act) F(expand_act_alpha) F(expand_act_beta) F(expand_act_gamma) \
    I(depthwise_act) F(depthwise_act_alpha) F(depthwise_act_beta) F(depthwise_act_gamma) \
    GF_EPILOGUE_FIELDS(P, I, F)

/* Locally connected: window `place` of each image of x (batch, in_d, in_h, in_w, channels) times matrix `place` of w,
 * each the packed panels of (kernel_d * kernel_h * kernel_w * channels, filters); bias (places, filters).
 * Items: places = out_d * out_h * out_w. Scratch: tile_m * kernel_d * kernel_h * kernel_w * channels floats. */
#define GF_LOCAL_FIELDS(P, I, F) \
    P(const float, x) P(const float, w) P(const float, bias) P(const float, residual) P(float, y) \
    I(batch) I(channels) I(filters) I(in_d) I(in_h) I(in_w) I(out_d) I(out_h) I(out_w) \
    I(kernel_d) I(kernel_h) I(kernel_w) I(stride_d) I(stride_h) I(stride_w) I(pad_d) I(pad_h) I(pad_w) \
    GF_EPILOGUE_FIELDS(P, I, F)

/* A recurrent layer over x (batch, steps, features), rows of features ldx apart; `kind` is one of GF_RECURRENT_KINDS:
 *
 *     lstm   i, f, o, c = z + h . u;  cell = f * cell + i * act(c);  h = o * act(cell)
 *     gru    u, r = z + h . u + inner;  c = act(z + r * (h . u + inner)), or with reset_after unset
 *            c = act(z + (r * h) . uh);  h = u * h + (1 - u) * c
 *     rnn    h = act(z + h . u)
 *
 * with z = x . w + bias and `gate` over all that are not c. Columns of w, bias, u and inner are ordered by blocks of
 * `vector` units, the gates of a block side by side in the order above (see recurrent_gates.h); matrices are packed in
 * panels; bias and inner may be null. h0, c0 (batch, units), null: zeros; mask (batch, steps), one byte each, null: all
 * ones. A masked step keeps h and the cell and repeats the previous output (zeros before the first unmasked step), or puts
 * out zeros when zero_output is set. reverse: step t reads x and mask at steps - 1 - t; its output is row t of y, with
 * flip row steps - 1 - t. y (batch, steps, units) and last (batch, units: the output of the final step) may be null, and
 * have rows ldy apart; h and, of an LSTM, c are written always. z is computed for `chunk` steps at once. Items: ceil(batch / block_m) row blocks x ceil(units / part)
 * parts, blocks outermost; part is a multiple of tile_n. Scratch where there is one part, else `work`, work_step floats for
 * each block, and `counters`: see recurrent.h. */
#define GF_RECURRENT_FIELDS(P, I, F) \
    P(const float, x) P(const float, w) P(const float, bias) P(const float, u) P(const float, uh) P(const float, inner) \
    P(const float, h0) P(const float, c0) P(const uint8_t, mask) P(float, y) P(float, last) P(float, h) P(float, c) \
    P(int32_t, counters) P(float, work) I(kind) I(batch) I(steps) I(features) I(units) I(ldx) I(ldy) \
    I(part) I(chunk) I(block_m) I(work_step) I(reverse) I(flip) I(zero_output) I(reset_after) \
    I(act) F(alpha) F(beta) F(gamma) I(gate) F(gate_alpha) F(gate_beta) F(gate_gamma)

/* Windows over x (batch, in_d, in_h, in_w, channels); averages divide by the number of real elements; `kind` is one of
 * GF_POOLS. Items: batch * out_d * out_h output rows, each in parts of `span` outputs. */
#define GF_POOL_FIELDS(P, I, F) \
    P(const float, x) P(float, y) \
    I(batch) I(channels) I(in_d) I(in_h) I(in_w) I(out_d) I(out_h) I(out_w) I(kernel_d) I(kernel_h) I(kernel_w) \
    I(stride_d) I(stride_h) I(stride_w) I(pad_d) I(pad_h) I(pad_w) I(ldx) I(ldy) I(span) I(kind)

/* x (outer, middle, inner) to y (outer, inner); `kind` is one of GF_REDUCTIONS. Items: outer. */
#define GF_REDUCE_FIELDS(P, I, F) P(const float, x) P(float, y) I(outer) I(middle) I(inner) I(kind)

/* Over the last axis of x (rows, n); `log`: its logarithm. Items: rows. */
#define GF_SOFTMAX_FIELDS(P, I, F) P(const float, x) P(float, y) I(rows) I(n) I(log)

/* y (count, width) = table[indices]; `kind` is one of GF_INDEX_KINDS; an index outside [0, vocabulary) ends the run
 * with GF_INDEX_OUT_OF_RANGE, a float that is not whole with GF_NOT_AN_INTEGER. Items: count. */
#define GF_EMBEDDING_FIELDS(P, I, F) \
    P(const void, indices) P(const float, table) P(float, y) I(count) I(vocabulary) I(width) I(kind)

/* y = act(x) over n elements. Items: n. x may be y. */
#define GF_UNARY_FIELDS(P, I, F) P(const float, x) P(float, y) I(n) GF_EPILOGUE_FIELDS(P, I, F)

/* y = act(a op b) over a shape of four dimensions (n0 outermost), y contiguous, a and b with strides (0: repeated).
 * Items: n0 * n1 * n2 * ceil(n3 / block). `kind` is one of GF_BINARIES. y may be a or b where their strides are y's. */
#define GF_BINARY_FIELDS(P, I, F) \
    P(const float, a) P(const float, b) P(float, y) I(n0) I(n1) I(n2) I(n3) \
    I(a0) I(a1) I(a2) I(a3) I(b0) I(b1) I(b2) I(b3) I(block) I(kind) GF_EPILOGUE_FIELDS(P, I, F)

/* y of n0 x n1 x n2 x n3 elements: what `program` (chain.h) makes of up to six operands, whose element (i0, i1, i2, i3)
 * is i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3 from the first, and so on with b to f. `slots` results are kept on the way.
 * Items: n0 x n1 x ceil(n2 / rows) x ceil(n3 / columns), n0 outermost; rows are more than one only where columns are n3. */
#define GF_CHAIN_STRIDES(I, s) I(s##0) I(s##1) I(s##2) I(s##3)
#define GF_CHAIN_FIELDS(P, I, F) \
    P(const float, x0) P(const float, x1) P(const float, x2) P(const float, x3) P(const float, x4) P(const float, x5) \
    P(float, y) P(const double, program) I(operands) I(links) I(slots) I(rows) I(columns) I(n0) I(n1) I(n2) I(n3) \
    GF_CHAIN_STRIDES(I, a) GF_CHAIN_STRIDES(I, b) GF_CHAIN_STRIDES(I, c) GF_CHAIN_STRIDES(I, d) \
    GF_CHAIN_STRIDES(I, e) GF_CHAIN_STRIDES(I, f)

/* y[r, c] = act(x[r, c] * scale[c] + shift[c]), scale or shift null: left out. Items: rows. */
#define GF_AFFINE_FIELDS(P, I, F) \
    P(const float, x) P(const float, scale) P(const float, shift) P(float, y) I(rows) I(channels) I(ldx) I(ldy) \
    GF_EPILOGUE_FIELDS(P, I, F)

/* `width` bytes from each row of x to each row of y; ldx, ldy in bytes. Items: rows. */
#define GF_COPY_FIELDS(P, I, F) P(const char, x) P(char, y) I(rows) I(width) I(ldx) I(ldy)

/* y (m0, m1, m2, m3) = x (n0, n1, n2, n3) from element (p0, p1, p2, p3) on, and elements of the bits `value` around it;
 * itemsize 1, 2, 4 or 8. Items: m0 * m1 * m2. */
#define GF_PAD_FIELDS(P, I, F) \
    P(const char, x) P(char, y) I(itemsize) I(value) I(n0) I(n1) I(n2) I(n3) I(m0) I(m1) I(m2) I(m3) I(p0) I(p1) I(p2) I(p3)

/* y (outer, factor_h * h, factor_w * w, inner) = x (outer, h, w, inner), linear between the centres of elements.
 * Items: outer * factor_h * h. Scratch: w * inner floats. */
#define GF_BILINEAR_FIELDS(P, I, F) P(const float, x) P(float, y) I(outer) I(h) I(w) I(inner) I(factor_h) I(factor_w)

/* y (n0, ..., n5), contiguous, from x with strides s0..s5 in bytes; itemsize 1, 2, 4, 8 or 16. Items: n0 * n1 * n2 * n3. */
#define GF_TRANSPOSE_FIELDS(P, I, F) \
    P(const char, x) P(char, y) I(itemsize) I(n0) I(n1) I(n2) I(n3) I(n4) I(n5) I(s0) I(s1) I(s2) I(s3) I(s4) I(s5)

/* y[m, n] = act(a[m, k] . b[k, n] + bias[n]) for each place in a batch of four dimensions; neither operand is packed,
 * bias may be null. a has rows lda apart whose elements are consecutive, b element (k, n) lies at k * sk + n * sn, y has
 * rows ldy apart; a0..a3, b0..b3, y0..y3 are the steps of the batch's dimensions. Items: n0 * n1 * n2 * n3 x
 * ceil(n / block_n) column blocks x ceil(m / block_m) row blocks, row blocks innermost. Scratch: k * block_n floats, block_n a multiple of tile_n. */
#define GF_MATMUL_FIELDS(P, I, F) \
    P(const float, a) P(const float, b) P(const float, bias) P(float, y) \
    I(n0) I(n1) I(n2) I(n3) I(a0) I(a1) I(a2) I(a3) I(b0) I(b1) I(b2) I(b3) I(y0) I(y1) I(y2) I(y3) \
    I(m) I(n) I(k) I(lda) I(sk) I(sn) I(ldy) I(block_m) I(block_n) GF_EPILOGUE_FIELDS(P, I, F)

/* y = (x - mean) / sqrt(variance + epsilon) * scale + shift over rows of n; scale, shift (n) may be null. rms: the mean
 * is not taken off (the variance is still that about the mean, as Keras 3 has it). Items: rows. */
#define GF_LAYER_NORM_FIELDS(P, I, F) \
    P(const float, x) P(const float, scale) P(const float, shift) P(float, y) I(rows) I(n) I(rms) F(epsilon)

/* x (batch, pixels, channels): each of `groups` runs of channels is normalised over its pixels and channels, then
 * scaled and shifted per channel. Items: batch x ceil(groups / block). Scratch: 3 * block * channels / groups floats. */
#define GF_GROUP_NORM_FIELDS(P, I, F) \
    P(const float, x) P(const float, scale) P(const float, shift) P(float, y) \
    I(batch) I(pixels) I(channels) I(groups) I(block) F(epsilon)

/* y (bytes 0 and 1) = a op b over a shape of four dimensions, both of GF_TYPES `type`; `kind` is one of GF_COMPARISONS.
 * Items: n0 * n1 * n2. */
#define GF_COMPARE_FIELDS(P, I, F) \
    P(const void, a) P(const void, b) P(uint8_t, y) I(n0) I(n1) I(n2) I(n3) \
    I(a0) I(a1) I(a2) I(a3) I(b0) I(b1) I(b2) I(b3) I(type) I(kind)

/* y = c ? a : b over a shape of four dimensions. Items: n0 * n1 * n2. y may be a or b where their strides are y's. */
#define GF_WHERE_FIELDS(P, I, F) \
    P(const uint8_t, c) P(const float, a) P(const float, b) P(float, y) I(n0) I(n1) I(n2) I(n3) \
    I(c0) I(c1) I(c2) I(c3) I(a0) I(a1) I(a2) I(a3) I(b0) I(b1) I(b2) I(b3)

/* y = x in another of GF_TYPES: `to` is float32 or bool (whether x is not 0). Items: elements. */
#define GF_CAST_FIELDS(P, I, F) P(const void, x) P(void, y) I(from) I(to)

/* y (rows, columns), bools: whether low <= row - column <= high. Items: rows. */
#define GF_BAND_FIELDS(P, I, F) P(uint8_t, y) I(rows) I(columns) I(low) I(high)

/* x (outer, middle, inner) of bools to y (outer, inner): whether any, or `all`, of the middle hold. Items: outer. */
#define GF_HOLD_FIELDS(P, I, F) P(const uint8_t, x) P(uint8_t, y) I(outer) I(middle) I(inner) I(all)

/* Each item: `rounds` multiply-adds in each of twelve vectors, whose sum is a vector of y. */
#define GF_PEAK_FIELDS(P, I, F) P(float, y) I(rounds)

/* y (n) = the sum of `reads` rows of x (reads, n); n and block are multiples of 64. Items: ceil(n / block). */
#define GF_STREAM_FIELDS(P, I, F) P(const float, x) P(float, y) I(n) I(reads) I(block)

/* y (rows, n), contiguous, from n columns: y[i, j] = x[j][i], elements of itemsize 1, 2, 4 or 8 bytes. Items: rows. */
#define GF_INTERLEAVE_FIELDS(P, I, F) P(const char *const, x) P(char, y) I(n) I(itemsize)

#define GF_LEAVES(L) \
    L(gemm_f32, GF_GEMM_FIELDS) \
    L(conv_f32, GF_CONV_FIELDS) \
    L(winograd_f32, GF_WINOGRAD_FIELDS) \
    L(depthwise_f32, GF_DEPTHWISE_FIELDS) \
    L(inverted_residual_f32, GF_INVERTED_RESIDUAL_FIELDS) \
    L(local_f32, GF_LOCAL_FIELDS) \
    L(recurrent_f32, GF_RECURRENT_FIELDS) \
    L(pool_f32, GF_POOL_FIELDS) \
    L(reduce_f32, GF_REDUCE_FIELDS) \
    L(softmax_f32, GF_SOFTMAX_FIELDS) \
    L(embedding_f32, GF_EMBEDDING_FIELDS) \
    L(unary_f32, GF_UNARY_FIELDS) \
    L(binary_f32, GF_BINARY_FIELDS) \
    L(chain_f32, GF_CHAIN_FIELDS) \
    L(affine_f32, GF_AFFINE_FIELDS) \
    L(copy, GF_COPY_FIELDS) \
    L(pad, GF_PAD_FIELDS) \
    L(bilinear_f32, GF_BILINEAR_FIELDS) \
    L(transpose, GF_TRANSPOSE_FIELDS) \
    L(interleave, GF_INTERLEAVE_FIELDS) \
    L(matmul_f32, GF_MATMUL_FIELDS) \
    L(layer_norm_f32, GF_LAYER_NORM_FIELDS) \
    L(group_norm_f32, GF_GROUP_NORM_FIELDS) \
    L(compare, GF_COMPARE_FIELDS) \
    L(where_f32, GF_WHERE_FIELDS) \
    L(cast, GF_CAST_FIELDS) \
    L(band, GF_BAND_FIELDS) \
    L(hold, GF_HOLD_FIELDS) \
    L(peak_f32, GF_PEAK_FIELDS) \
    L(stream_f32, GF_STREAM_FIELDS)

#define GF_POINTER_MEMBER(type, name) type *name;
#define GF_INTEGER_MEMBER(name) int64_t name;
#define GF_FLOAT_MEMBER(name) double name;
#define GF_ARGS_STRUCT(leaf, fields) \
    typedef struct gf_##leaf##_args { fields(GF_POINTER_MEMBER, GF_INTEGER_MEMBER, GF_FLOAT_MEMBER) } gf_##leaf##_args;
GF_LEAVES(GF_ARGS_STRUCT)

#define GF_ENUM_ACT(name) GF_ACT_##name,
#define GF_ENUM_BINARY(name) GF_BINARY_##name,
#define GF_ENUM_REDUCE(name) GF_REDUCE_##name,
#define GF_ENUM_POOL(name) GF_POOL_##name,
#define GF_ENUM_INDEX(name) GF_INDEX_##name,
#define GF_ENUM_KIND(name) GF_KIND_##name,
#define GF_ENUM_TYPE(name) GF_TYPE_##name,
#define GF_ENUM_COMPARE(name) GF_COMPARE_##name,
enum { GF_ACTIVATIONS(GF_ENUM_ACT) };
enum { GF_BINARIES(GF_ENUM_BINARY) };
enum { GF_REDUCTIONS(GF_ENUM_REDUCE) };
enum { GF_POOLS(GF_ENUM_POOL) };
enum { GF_INDEX_KINDS(GF_ENUM_INDEX) };
enum { GF_RECURRENT_KINDS(GF_ENUM_KIND) };
enum { GF_TYPES(GF_ENUM_TYPE) };
enum { GF_COMPARISONS(GF_ENUM_COMPARE) };

#endif
