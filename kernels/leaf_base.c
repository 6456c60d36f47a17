#define GF_ISA base
#include "leaves.h"
