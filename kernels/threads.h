/* A small pool of threads that share the items of one step. */
#ifndef GF_THREADS_H
#define GF_THREADS_H

#include "abi.h"

enum { GF_MOST_THREADS = 64 };

/* Run all items in chunks of at most `grain` on up to `threads` threads, this one included; workers[i] belongs to
 * thread i. Returns the first nonzero code of a leaf, with `failed` set to its worker; GF_OK else. A caller that finds
 * the pool busy runs alone. */
int gf_pool_run(gf_leaf run, const void *args, int64_t items, int64_t grain, int threads, gf_worker *workers,
                int *failed);

/* Between these two the pool's threads stay awake, so that the next step finds them at once. */
void gf_pool_enter(void);
void gf_pool_leave(void);

#endif
