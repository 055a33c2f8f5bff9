/* What users write into one option in a language of its own, and what file names tell: each
 * text is read as all of them. */
#include "base/mem.h"
#include "config/circles.h"
#include "config/options.h"
#include "config/output_list.h"
#include "config/people_rule.h"
#include "config/prompts.h"
#include "fuzz.h"
#include "media/vr_name.h"

#include <stdlib.h>
#include <string.h>

/* A check and the reading behind it say the same. */
static void must_agree(int check, int parsed)
{
    if (check != parsed && check != VSM_E_NOMEM && parsed != VSM_E_NOMEM)
        abort();
}

static void read_outputs(const char *text)
{
    struct vsm_config config;
    struct vsm_output_list list;

    if (vsm_options_defaults(&config) != VSM_OK)
        return;
    config.output.list = vsm_mem_string("outputs", text);
    if (config.output.list && vsm_output_list_parse(&config, &list) == VSM_OK) {
        if (*text && vsm_output_list_check(text) == VSM_E_USAGE)
            abort();
        vsm_output_list_finish(&list);
    }
    vsm_options_finish(&config);
}

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    char *text = vsm_mem_alloc("text", size + 1, 1);
    struct vsm_people_rule rule;
    struct vsm_prompts prompts;
    struct vsm_vr_name name;
    double circles[2][3];

    if (!text)
        return;
    memcpy(text, data, size);
    must_agree(vsm_prompts_check(text), vsm_prompts_parse(text, &prompts));
    vsm_prompts_finish(&prompts);
    must_agree(vsm_people_rule_check(text), vsm_people_rule_parse(text, &rule));
    if (*text)
        must_agree(vsm_circles_check(text), vsm_circles_parse(text, circles));
    read_outputs(text);
    vsm_vr_name_parse(text, &name);
    vsm_mem_free(text);
}
