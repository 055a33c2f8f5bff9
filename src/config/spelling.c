#include "config/spelling.h"

#include <limits.h>
#include <string.h>

#define LONGEST 63

static int least(int a, int b)
{
    return a < b ? a : b;
}

int vsm_spelling_distance(const char *a, const char *b)
{
    int rows[3][LONGEST + 1]; /* of the distance table: two above, above, this */
    size_t length_a = strlen(a), length_b = strlen(b);

    if (length_a > LONGEST || length_b > LONGEST)
        return INT_MAX;
    for (size_t j = 0; j <= length_b; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= length_a; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (int)i;
        for (size_t j = 1; j <= length_b; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[length_a % 3][length_b];
}

int vsm_spelling_tolerance(const char *word)
{
    size_t length = strlen(word);

    return length > LONGEST ? 0 : length < 3 ? 1 : (int)length / 3;
}
