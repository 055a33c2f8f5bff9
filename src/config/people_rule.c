#include "config/people_rule.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PIXELS 65536.0
#define MOST_TEXT   640 /* bytes with the NUL, without blanks */

static bool shorten(const char *text, char *to)
{
    size_t length = 0;

    for (; *text; text++) {
        if (*text == ' ' || *text == '\t')
            continue;
        if (length + 1 == MOST_TEXT)
            return false;
        to[length++] = (char)tolower((unsigned char)*text);
    }
    to[length] = '\0';
    return true;
}

/* Steps over `word` if it stands at *at. */
static bool skip(const char **at, const char *word)
{
    const size_t length = strlen(word);

    if (strncmp(*at, word, length) != 0)
        return false;
    *at += length;
    return true;
}

/* A plain decimal number; strtod() alone would take hexadecimal and infinity. */
static bool number(const char **at, double *value)
{
    const size_t length = strspn(*at, "0123456789.");
    char *end;

    if (length == 0)
        return false;
    *value = strtod(*at, &end);
    if (end != *at + length)
        return false;
    *at = end;
    return true;
}

static const char *check_place(const struct vsm_people_rule_place *p)
{
    const double most = p->pixels ? MOST_PIXELS : 1.0;

    if (!p->point && !(p->width > 0.0 && p->height > 0.0))
        return "has a box without size";
    if (p->x + p->width > most * 1.0001 || p->y + p->height > most * 1.0001)
        return p->pixels
                   ? "has a place beyond 65536 pixels"
                   : "has a place outside the eye (parts go from 0 to 1; for pixels write px behind them)";
    return NULL;
}

static const char *parse_place(const char **at, struct vsm_people_rule_place *p)
{
    double values[4] = {0};
    int count = 0;

    *p = (struct vsm_people_rule_place){.eye = VSM_LEFT};
    if (skip(at, "right:"))
        p->eye = VSM_RIGHT;
    else
        (void)skip(at, "left:");
    do {
        if (count == 4 || !number(at, &values[count]))
            return "is neither all, largest, a number of people nor a list of places";
        count++;
    } while (skip(at, ","));
    if (count != 2 && count != 4)
        return "has a place that is neither a point x,y nor a box x,y,width,height";
    p->pixels = skip(at, "px");
    p->point = count == 2;
    p->x = values[0];
    p->y = values[1];
    p->width = values[2];
    p->height = values[3];
    return check_place(p);
}

static const char *parse_places(const char *at, struct vsm_people_rule *rule)
{
    rule->kind = VSM_PEOPLE_PLACES;
    do {
        const char *wrong;

        if (rule->count == VSM_PEOPLE_RULE_PLACES)
            return "has too many places";
        wrong = parse_place(&at, &rule->place[rule->count++]);
        if (wrong)
            return wrong;
    } while (skip(&at, ";"));
    return *at ? "is neither all, largest, a number of people nor a list of places" : NULL;
}

static const char *parse(const char *text, struct vsm_people_rule *rule)
{
    char plain[MOST_TEXT];
    size_t digits;

    if (!shorten(text, plain))
        return "is too long";
    digits = strspn(plain, "0123456789");
    if (strcmp(plain, "all") == 0)
        return NULL;
    if (strcmp(plain, "largest") == 0 || (digits > 0 && !plain[digits])) {
        const long count = digits > 0 ? strtol(plain, NULL, 10) : 1;

        if (count < 1 || count > VSM_PEOPLE_RULE_PLACES)
            return "is no number of people from 1 to 16";
        rule->kind = VSM_PEOPLE_LARGEST;
        rule->count = (int)count;
        return NULL;
    }
    return parse_places(plain, rule);
}

int vsm_people_rule_parse(const char *text, struct vsm_people_rule *rule)
{
    const char *wrong;

    *rule = (struct vsm_people_rule){.kind = VSM_PEOPLE_ALL};
    wrong = parse(text, rule);
    if (!wrong)
        return VSM_OK;
    *rule = (struct vsm_people_rule){.kind = VSM_PEOPLE_ALL};
    return vsm_fail(VSM_E_USAGE, "\"%.80s\" %s", text, wrong);
}

int vsm_people_rule_check(const char *text)
{
    struct vsm_people_rule rule;

    return vsm_people_rule_parse(text, &rule);
}
