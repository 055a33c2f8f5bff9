/* What turned views are decided on, for unit tests: a frame whose mattes the tests fill. Define GRID, the
 * side of a view's grid in cells, before including this.
 */
#ifndef VIEW_SIGHT_H
#define VIEW_SIGHT_H

#include "frame/frame.h"
#include "view_choice.h"

static const struct vsm_view direct[2] = {
    {.eye = VSM_LEFT, .source = {0, 0, 512, 512}, .width = GRID, .height = GRID},
    {.eye = VSM_RIGHT, .source = {512, 0, 512, 512}, .width = GRID, .height = GRID},
};

struct sight {
    struct vsm_frame frame;
    const float *rgb[VSM_MAX_VIEWS]; /* black, as the network saw it */
};

/* Direct views of both eyes and nobody in them: all maps are zero. */
__attribute__((unused)) static void sight_init(struct sight *s)
{
    static const float black[3 * GRID * GRID];

    *s = (struct sight){.frame = {.view_count = 2, .people.known = true}};
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        s->rgb[i] = black;
        s->frame.mattes[i] =
            (struct vsm_matte){.view = direct[i % 2],
                               .coefficients =
                                   vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, GRID, GRID})};
    }
}

__attribute__((unused)) static void sight_free(struct sight *s)
{
    for (int i = 0; i < VSM_MAX_VIEWS; i++)
        vsm_tensor_unref(&s->frame.mattes[i].coefficients);
}

/* The plane that is the alpha of a black picture. */
__attribute__((unused)) static float *sight_alpha(struct sight *s, int view)
{
    return vsm_tensor_f32(s->frame.mattes[view].coefficients) + 7 * GRID * GRID;
}

#endif
