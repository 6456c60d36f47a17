/* What the machine can do at most: multiply-adds in registers, and bytes read and written in a given mix, one addition
 * for each vector that is read. They measure; no model uses them. */
#ifndef GF_PEAK_H
#define GF_PEAK_H

enum { GF_PEAK_CHAINS = 12 };

static int gf_peak_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_peak_f32_args *s = args;
    const gf_vec factor = v_set1(0.5f), addend = v_set1(1.0f);
    (void)worker;
    for (int64_t item = begin; item < end; item++) {
        gf_vec chain[GF_PEAK_CHAINS];
        for (int c = 0; c < GF_PEAK_CHAINS; c++)
            chain[c] = v_set1((float)c);
        for (int64_t round = 0; round < s->rounds; round++) {
            for (int c = 0; c < GF_PEAK_CHAINS; c++)
                chain[c] = v_fma(chain[c], factor, addend);
        }
        for (int c = 1; c < GF_PEAK_CHAINS; c++)
            chain[0] = v_add(chain[0], chain[c]);
        v_store(s->y + item * GF_VL, chain[0]);
    }
    return GF_OK;
}

enum { GF_STREAM_RUN = 64 / GF_VL };

static int gf_stream_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_stream_f32_args *s = args;
    (void)worker;
    for (int64_t item = begin; item < end; item++) {
        const int64_t last = (item + 1) * s->block < s->n ? (item + 1) * s->block : s->n;
        for (int64_t i = item * s->block; i < last; i += 64) {
            gf_vec sum[GF_STREAM_RUN];
            for (int c = 0; c < GF_STREAM_RUN; c++)
                sum[c] = v_load(s->x + i + c * GF_VL);
            for (int64_t row = 1; row < s->reads; row++) {
                for (int c = 0; c < GF_STREAM_RUN; c++)
                    sum[c] = v_add(sum[c], v_load(s->x + row * s->n + i + c * GF_VL));
            }
            for (int c = 0; c < GF_STREAM_RUN; c++)
                v_store(s->y + i + c * GF_VL, sum[c]);
        }
    }
    return GF_OK;
}

#endif
