/* Median and quartiles of repeated measurements. */
#ifndef SPREAD_H
#define SPREAD_H

#include <stdlib.h>

struct spread {
    double low, median, high;
};

static int spread_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline struct spread spread_of(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), spread_compare);
    return (struct spread){values[count / 4], values[count / 2], values[count - 1 - count / 4]};
}

#endif
