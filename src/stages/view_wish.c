#include "stages/view_wish.h"

#include <math.h>

/* Parts of the present width within which a wished one is no reason to change. */
#define SHRINK 0.7
#define GROW   1.15

/* Widths in few steps, so that breathing people do not zoom; the present one stays while it is nearly
 * right, or with `cut`, wide enough. */
static void settle_width(struct vsm_view_placement *wish, const struct vsm_view_placement *now, bool cut)
{
    static const double steps[] = {VSM_VIEW_PLACE_NARROWEST,    60.0, 72.0, 86.0, VSM_VIEW_PLACE_USUAL,
                                   VSM_VIEW_PLACE_WIDEST + 10.0};
    const double wanted = wish->aims[0].field_of_view, had = now->aims[0].field_of_view;
    double width = steps[0];

    for (size_t i = 1; i < sizeof(steps) / sizeof(steps[0]) && width < wanted; i++)
        width = steps[i];
    if (now->count == wish->count && wanted >= had * SHRINK &&
        wanted <= fmax(had, cut ? had : fmin(had * GROW, VSM_VIEW_PLACE_USUAL)))
        width = had;
    for (int k = 0; k < wish->count; k++)
        wish->aims[k].field_of_view = width;
}

/* `now`: what the wish may stay with. */
static struct vsm_view_placement wish_for(const struct vsm_view_wish_rules *rules,
                                          const struct vsm_people *people,
                                          const struct vsm_view_placement *now, bool cut)
{
    struct vsm_view_placement wish =
        vsm_view_place(people, rules->eyes, rules->eye_count, rules->field_of_view);

    if (wish.count == 0 && rules->always)
        wish = (struct vsm_view_placement){
            1, {{0.0, 0.0, rules->field_of_view > 0.0 ? rules->field_of_view : VSM_VIEW_PLACE_USUAL}}};
    if (wish.count > 0 && wish.aims[0].field_of_view > rules->field_of_view)
        settle_width(&wish, now, cut);
    return wish;
}

static bool anybody_in(const struct vsm_people *people)
{
    return people->known && people->count > 0;
}

int vsm_view_wish_misses(const struct vsm_view_wish_rules *rules, const struct vsm_people *people,
                         const struct vsm_view_placement *views)
{
    return anybody_in(people) ? vsm_view_place_missed(people, rules->eyes, rules->eye_count, views) : 0;
}

static bool cuts(const struct vsm_view_wish_rules *rules, const struct vsm_view_border *border,
                 const struct vsm_view_placement *views)
{
    const struct vsm_people who = {.known = true,
                                   .count = 1,
                                   .person = {{.chosen = true, .box = {border->box, border->box}}}};

    return border->active && vsm_view_place_missed(&who, rules->eyes, rules->eye_count, views) > 0;
}

struct vsm_view_placement vsm_view_wish_make(const struct vsm_view_wish_rules *rules,
                                             const struct vsm_people *people,
                                             const struct vsm_view_border *border,
                                             const struct vsm_view_placement *now, bool *cut)
{
    const struct vsm_people all = vsm_view_border_people(border, people);
    struct vsm_view_placement wish;

    *cut = anybody_in(people) && cuts(rules, border, now);
    wish = wish_for(rules, &all, now, *cut);
    *cut = *cut && !cuts(rules, border, &wish);
    return wish;
}
