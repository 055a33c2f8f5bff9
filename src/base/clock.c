#include "base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t vsm_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t vsm_clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t vsm_clock_rescale(int64_t value, struct vsm_rational from, struct vsm_rational to)
{
    __extension__ typedef __int128 wide;
    wide num = (wide)value * from.num * to.den;
    wide den = (wide)from.den * to.num;
    wide half = den / 2;

    return (int64_t)((num >= 0 ? num + half : num - half) / den);
}
