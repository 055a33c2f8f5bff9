/* matting.people as text and as a rule: which of the people in the picture are wanted.
 *
 *   all                        everybody, also whoever the detector misses
 *   largest, N                 the largest person, or the N largest
 *   PLACE;PLACE...             who is at these places in the first picture of each scene that shows people
 * A place is [left:|right:]NUMBERS[px], NUMBERS being a point x,y or a box x,y,width,height, in parts of that
 * eye's picture or, with px, in its pixels; x to the right, y down; the left eye is meant where none is
 * named. Capitals and blanks do not matter.
 */
#ifndef VSM_CONFIG_PEOPLE_RULE_H
#define VSM_CONFIG_PEOPLE_RULE_H

#include "base/status.h"
#include "frame/view.h"

#include <stdbool.h>
#include <stddef.h>

#define VSM_PEOPLE_RULE_PLACES 16 /* in one rule, and the largest N */

enum vsm_people_rule_kind { VSM_PEOPLE_ALL, VSM_PEOPLE_LARGEST, VSM_PEOPLE_PLACES };

struct vsm_people_rule_place {
    enum vsm_eye eye;
    bool pixels, point;
    double x, y, width, height; /* a point has no size */
};

struct vsm_people_rule {
    enum vsm_people_rule_kind kind;
    int count; /* of LARGEST, or of places */
    struct vsm_people_rule_place place[VSM_PEOPLE_RULE_PLACES];
};

/* VSM_E_USAGE with what is wrong; the rule is then "all". */
int vsm_people_rule_parse(const char *text, struct vsm_people_rule *rule) VSM_NODISCARD;

/* Whether the text can be parsed; as vsm_people_rule_parse(). */
int vsm_people_rule_check(const char *text) VSM_NODISCARD;

#endif
