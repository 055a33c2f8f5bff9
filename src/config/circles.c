#include "config/circles.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MOST 65536.0

/* One plain decimal number and what follows it, stepped over. */
static int number(const char **at, char after, double *value)
{
    const size_t length = strspn(*at, "0123456789.");
    char *end;

    *value = strtod(*at, &end);
    if (length == 0 || end != *at + length || *end != after || *value > MOST)
        return vsm_fail(VSM_E_USAGE,
                        "'%.60s' is not X,Y,RADIUS in pixels of one eye; write for instance "
                        "1024,1030,980, or two of them with ; between, for the left and the right eye",
                        *at);
    *at = after ? end + 1 : end;
    return VSM_OK;
}

static int circle(const char **at, char after, double c[3])
{
    int status = number(at, ',', &c[0]);

    if (status == VSM_OK)
        status = number(at, ',', &c[1]);
    if (status == VSM_OK)
        status = number(at, after, &c[2]);
    if (status == VSM_OK && !(c[2] >= 1.0))
        return vsm_fail(VSM_E_USAGE, "a radius of %g pixels shows nothing; set what it is", c[2]);
    return status;
}

int vsm_circles_parse(const char *text, double circles[2][3])
{
    bool two = strchr(text, ';') != NULL;
    int status = circle(&text, two ? ';' : '\0', circles[0]);

    if (status != VSM_OK)
        return status;
    if (two)
        return circle(&text, '\0', circles[1]);
    memcpy(circles[1], circles[0], sizeof(circles[1]));
    return VSM_OK;
}

int vsm_circles_check(const char *text)
{
    double circles[2][3];

    return text[0] ? vsm_circles_parse(text, circles) : VSM_OK;
}
