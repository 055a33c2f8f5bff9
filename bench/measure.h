/* Timing of one kernel against memcpy of the same bytes, taken in turns in one run, so that both see
 * the same load.
 *
 * Medians of the CPU time of this thread: the machine may be shared. memcpy is the yardstick because these
 * kernels can at best be bound by memory. */
#ifndef MEASURE_H
#define MEASURE_H

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEASURE_ROUNDS 15

static int measure_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double measure_median(double *values)
{
    qsort(values, MEASURE_ROUNDS, sizeof(*values), measure_compare);
    return values[MEASURE_ROUNDS / 2];
}

/* Prints `name: X ms, memcpy of N MB Y ms, ratio R`. `body` returns 0 or stops the program. `bytes` are
 * copied once from one block to another. */
static void measure(const char *name, size_t bytes, int (*body)(void *context), void *context)
{
    double own[MEASURE_ROUNDS], copy[MEASURE_ROUNDS], own_ms, copy_ms;
    char *from = malloc(bytes), *to = malloc(bytes);

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
    }
    own_ms = measure_median(own);
    copy_ms = measure_median(copy);
    printf("%s: %.2f ms, memcpy of %.1f MB %.2f ms, ratio %.2f\n", name, own_ms, (double)bytes / 1e6, copy_ms,
           own_ms / copy_ms);
    free(from);
    free(to);
}

#endif
