#if defined(__x86_64__)
#pragma GCC target("avx2,fma,prfchw")
#define GF_ISA avx2
#define GF_AVX2 1
#include "leaves.h"
#endif
typedef int gf_not_empty_avx2;
