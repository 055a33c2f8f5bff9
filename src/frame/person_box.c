#include "frame/person_box.h"

#include <math.h>

bool vsm_person_box_holds(const struct vsm_person_box *box, double x, double y)
{
    return x >= box->left && x <= box->right && y >= box->top && y <= box->bottom;
}

static float area(float width, float height)
{
    return fmaxf(width, 0.0f) * fmaxf(height, 0.0f);
}

float vsm_person_box_overlap(const struct vsm_person_box *a, const struct vsm_person_box *b)
{
    const float both = area(fminf(a->right, b->right) - fmaxf(a->left, b->left),
                            fminf(a->bottom, b->bottom) - fmaxf(a->top, b->top));
    const float all =
        (a->right - a->left) * (a->bottom - a->top) + (b->right - b->left) * (b->bottom - b->top) - both;

    return all > 0.0f ? both / all : 0.0f;
}
