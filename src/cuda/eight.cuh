/* Eight float16 numbers that are read and written at once, for the .cu files of this folder. */
#ifndef VSM_CUDA_EIGHT_CUH
#define VSM_CUDA_EIGHT_CUH

#include <cuda_fp16.h>

#define EIGHT 8

struct __align__(16) eight
{
    __half2 v[EIGHT / 2];
};

#endif
