/* Timing of one kernel against memcpy of the same bytes, taken in turns in one run, so that both see
 * the same load.
 *
 * Times are CPU time of this thread: the machine may be shared. What the neighbours do to caches and memory
 * still shows, so that the ratio is taken turn by turn, in which both see the same neighbours, and their
 * median is told with the quartiles. memcpy is the yardstick because these kernels can at best be bound by
 * memory. */
#ifndef MEASURE_H
#define MEASURE_H

#include "base/clock.h"
#include "spread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASURE_ROUNDS 41

/* Prints `name: X ms, memcpy of N MB Y ms, ratio R (quartiles)`. `body` returns 0 or stops the program.
 * `bytes` are copied once from one block to another. */
static void measure(const char *name, size_t bytes, int (*body)(void *context), void *context)
{
    double own[MEASURE_ROUNDS], copy[MEASURE_ROUNDS], ratio[MEASURE_ROUNDS];
    char *from = malloc(bytes), *to = malloc(bytes);
    struct spread spread;

    if (!from || !to || body(context)) {
        fprintf(stderr, "%s: failed\n", name);
        exit(1);
    }
    memset(from, 1, bytes);
    memset(to, 2, bytes);
    for (int i = 0; i < MEASURE_ROUNDS; i++) {
        uint64_t start = vsm_clock_thread_cpu_ns(), middle, end;

        if (body(context))
            exit(1);
        middle = vsm_clock_thread_cpu_ns();
        memcpy(to, from, bytes);
        __asm__ volatile("" ::"r"(to) : "memory");
        end = vsm_clock_thread_cpu_ns();
        own[i] = (double)(middle - start) / 1e6;
        copy[i] = (double)(end - middle) / 1e6;
        ratio[i] = own[i] / copy[i];
    }
    spread = spread_of(ratio, MEASURE_ROUNDS);
    printf("%s: %.2f ms, memcpy of %.1f MB %.2f ms, ratio %.2f (%.2f to %.2f)\n", name,
           spread_of(own, MEASURE_ROUNDS).median, (double)bytes / 1e6, spread_of(copy, MEASURE_ROUNDS).median,
           spread.median, spread.low, spread.high);
    free(from);
    free(to);
}

#endif
