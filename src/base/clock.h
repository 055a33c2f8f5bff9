/* Monotonic time and exact rational time stamps. No floating-point time anywhere. */
#ifndef VSM_BASE_CLOCK_H
#define VSM_BASE_CLOCK_H

#include <stdint.h>

/* A time base or a rate: num / den, den > 0. Time stamps are integers in a time base of seconds. */
struct vsm_rational {
    int32_t num;
    int32_t den;
};

/* Nanoseconds of a monotonic clock. */
uint64_t vsm_clock_ns(void);

/* CPU time of the calling thread in nanoseconds. */
uint64_t vsm_clock_thread_cpu_ns(void);

/* value * from / to, rounded to nearest, halves away from zero; exact in 128 bits. to.num > 0. The caller
 * knows that the result fits in 64 bits. */
int64_t vsm_clock_rescale(int64_t value, struct vsm_rational from, struct vsm_rational to);

#endif
