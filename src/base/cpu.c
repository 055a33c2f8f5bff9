#include "base/cpu.h"

#include <stdatomic.h>

static atomic_bool force_c;

bool vsm_cpu_has_avx2(void)
{
#if defined(__x86_64__)
    return !atomic_load_explicit(&force_c, memory_order_relaxed) && __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

void vsm_cpu_force_c(bool force)
{
    atomic_store_explicit(&force_c, force, memory_order_relaxed);
}
