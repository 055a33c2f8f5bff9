/* The option input.circles: where the circles of fisheye eyes are, "X,Y,RADIUS" in pixels of one eye's
 * picture, of both eyes alike or "X,Y,RADIUS;X,Y,RADIUS" for the left and the right one. */
#ifndef VSM_CONFIG_CIRCLES_H
#define VSM_CONFIG_CIRCLES_H

#include "base/status.h"

/* circles[eye] = {x, y, radius}. VSM_E_USAGE with what is wrong. check() also takes the empty text: not
 * set. */
int vsm_circles_parse(const char *text, double circles[2][3]) VSM_NODISCARD;
int vsm_circles_check(const char *text) VSM_NODISCARD;

#endif
