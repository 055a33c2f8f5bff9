/* Which instruction sets the kernels may use on this machine. */
#ifndef VSM_BASE_CPU_H
#define VSM_BASE_CPU_H

#include <stdbool.h>

/* True when the AVX2 kernels are compiled in, this CPU and operating system support them, and no test has
 * asked for the C reference. Any thread. */
bool vsm_cpu_has_avx2(void);

/* For tests and benchmarks: from now on (true) every kernel is the C reference. Process-wide. */
void vsm_cpu_force_c(bool force);

#endif
