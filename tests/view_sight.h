/* What turned views are decided on, for unit tests: a frame whose alpha the tests fill. Define GRID, the
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
    float planes[VSM_MAX_VIEWS][GRID * GRID];
    const float *alpha[VSM_MAX_VIEWS]; /* those */
};

/* Direct views of both eyes and nobody in them. */
__attribute__((unused)) static void sight_init(struct sight *s)
{
    *s = (struct sight){.frame = {.view_count = 2, .people.known = true}};
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        s->alpha[i] = s->planes[i];
        s->frame.mattes[i].view = direct[i % 2];
    }
}

#endif
