/* Gaussian error linear unit by erf (Hendrycks and Gimpel, arXiv 1606.08415), for the .cu
 * files of this folder. */
#ifndef VSM_CUDA_GELU_CUH
#define VSM_CUDA_GELU_CUH

__device__ static inline float vsm_cuda_gelu(float v)
{
    return 0.5f * v * (1 + erff(v * 0.70710678f /* 1 / sqrt(2) */));
}

#endif
