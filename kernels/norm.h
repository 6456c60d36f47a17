/* Normalisation by statistics of the sample itself: over a row, and over groups of channels.
 *
 * The mean first, then the mean square of what is left. Sums are those of reduce.h, so the order in which elements are
 * added depends on the sample's shape only.
 */
#ifndef GF_NORM_H
#define GF_NORM_H

#include "reduce.h"

static int gf_layer_norm_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_layer_norm_f32_args *s = args;
    const float count = (float)s->n, epsilon = (float)s->epsilon;
    const float *gamma = s->scale, *beta = s->shift;
    float piece[GF_PIECE / 2];
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const float *x = s->x + row * s->n;
        float *y = s->y + row * s->n, sum = 0.0f;
        const float mean = gf_fold_row(GF_REDUCE_sum, x, s->n) / count;
        for (int64_t first = 0; first < s->n; first += GF_PIECE / 2) {
            const int64_t n = gf_smaller(GF_PIECE / 2, s->n - first);
            GF_INDEPENDENT for (int64_t i = 0; i < n; i++)
            {
                const float d = x[first + i] - mean;
                piece[i] = d * d;
            }
            sum += gf_fold_row(GF_REDUCE_sum, piece, n);
        }
        const float inverse = 1.0f / __builtin_sqrtf(sum / count + epsilon), centre = s->rms ? 0.0f : mean;
        const int64_t n = s->n;
        if (gamma && beta) {
            GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = s_fma((x[i] - centre) * inverse, gamma[i], beta[i]);
        } else if (gamma) {
            GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = (x[i] - centre) * inverse * gamma[i];
        } else if (beta) {
            GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = s_fma(x[i] - centre, inverse, beta[i]);
        } else {
            GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = (x[i] - centre) * inverse;
        }
    }
    return GF_OK;
}

/* The mean over a group's pixels and channels for each of its channels, from the sums of the channels. */
GF_INLINE void gf_spread_means(float *sums, int64_t groups, int64_t width, float count)
{
    for (int64_t g = 0; g < groups; g++) {
        const float mean = gf_fold_row(GF_REDUCE_sum, sums + g * width, width) / count;
        for (int64_t c = 0; c < width; c++)
            sums[g * width + c] = mean;
    }
}

static int gf_group_norm_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    enum { TOGETHER = 64 /* pixels in one partial sum */ };
    const gf_group_norm_f32_args *s = args;
    const int64_t width = s->channels / s->groups, parts = (s->groups + s->block - 1) / s->block;
    const float count = (float)(s->pixels * width), epsilon = (float)s->epsilon;
    float *mean = (float *)worker->scratch, *square = mean + s->block * width, *part = square + s->block * width;
    for (int64_t item = begin; item < end; item++) {
        const int64_t group = item % parts * s->block, groups = gf_smaller(s->block, s->groups - group);
        const int64_t first = group * width, n = groups * width;
        const float *x = s->x + item / parts * s->pixels * s->channels + first;
        const float *gamma = s->scale ? s->scale + first : 0, *beta = s->shift ? s->shift + first : 0;
        float *y = s->y + (x - s->x);
        for (int64_t c = 0; c < n; c += GF_PIECE / 2)
            gf_fold_many(GF_REDUCE_sum, x + c, s->pixels, s->channels, mean + c, gf_smaller(GF_PIECE / 2, n - c));
        gf_spread_means(mean, groups, width, count);
        for (int64_t c = 0; c < n; c++)
            square[c] = 0.0f;
        for (int64_t pixel = 0; pixel < s->pixels; pixel += TOGETHER) {
            for (int64_t c = 0; c < n; c++)
                part[c] = 0.0f;
            for (int64_t p = pixel; p < gf_smaller(pixel + TOGETHER, s->pixels); p++) {
                const float *row = x + p * s->channels;
                GF_INDEPENDENT for (int64_t c = 0; c < n; c++)
                {
                    const float d = row[c] - mean[c];
                    part[c] = s_fma(d, d, part[c]);
                }
            }
            for (int64_t c = 0; c < n; c++)
                square[c] += part[c];
        }
        gf_spread_means(square, groups, width, count);
        for (int64_t c = 0; c < n; c++)
            square[c] = 1.0f / __builtin_sqrtf(square[c] + epsilon) * (gamma ? gamma[c] : 1.0f);
        for (int64_t c = 0; c < n; c++)
            part[c] = beta ? beta[c] : 0.0f;
        for (int64_t p = 0; p < s->pixels; p++) {
            const float *row = x + p * s->channels;
            float *out = y + p * s->channels;
            GF_INDEPENDENT for (int64_t c = 0; c < n; c++) out[c] = s_fma(row[c] - mean[c], square[c], part[c]);
        }
    }
    return GF_OK;
}

#endif
