/* Whether a view director goes on exactly from another's saved state, for unit tests. */
#ifndef VIEW_CHOICE_H
#define VIEW_CHOICE_H

#include "base/mem.h"
#include "stages/view_director.h"
#include "tap.h"

/* Saves a director's state and loads it into another; without its last byte it is refused. */
__attribute__((unused)) static void hand_over(const struct vsm_view_director *from,
                                              struct vsm_view_director *to)
{
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;

    vsm_view_director_save(from, &out);
    in = vsm_bytes_in_of(out.data, out.size - 1);
    CHECK_INT(vsm_view_director_load(to, &in), VSM_E_INPUT);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_view_director_load(to, &in), VSM_OK);
    CHECK_INT(vsm_bytes_left(&in), 0);
    vsm_mem_free(out.data);
}

__attribute__((unused)) static bool same_choice(const struct vsm_view_choice *x,
                                                const struct vsm_view_choice *y)
{
    bool same = x->now.count == y->now.count && x->changed == y->changed && x->weight == y->weight;

    for (int k = 0; k < x->now.count && same; k++)
        same = x->now.views[k].yaw == y->now.views[k].yaw && x->now.views[k].pitch == y->now.views[k].pitch &&
               x->now.views[k].field_of_view == y->now.views[k].field_of_view &&
               x->now.inverse_step[k] == y->now.inverse_step[k] && !x->now.inverse[k] == !y->now.inverse[k];
    return same;
}

#endif
