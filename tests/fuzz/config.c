#include "config/yaml.h"
#include "config/yaml_template.h"
#include "fuzz.h"

#include <stdlib.h>

/* Accepted settings must survive being written and read again. */
static void check_round_trip(const struct vsm_config *config)
{
    struct vsm_options_origin origins[VSM_OPTIONS_MAX] = {0};
    struct vsm_config again;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int status;

    if (!out || vsm_yaml_template_print(out, config) != VSM_OK || fclose(out) != 0)
        abort();
    if (vsm_options_defaults(&again) != VSM_OK)
        abort();
    status = vsm_yaml_parse("again", text, size, &again, origins);
    if (status != VSM_OK)
        abort();
    for (int i = 0; i < vsm_options_count; i++) {
        if (!vsm_options_equal(&vsm_options_table[i], config, &again))
            abort();
    }
    vsm_options_finish(&again);
    free(text);
}

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    struct vsm_options_origin origins[VSM_OPTIONS_MAX] = {0};
    struct vsm_config config;

    if (vsm_options_defaults(&config) != VSM_OK)
        return;
    if (vsm_yaml_parse("fuzz", data, size, &config, origins) == VSM_OK) {
        if (vsm_options_check(&config, origins) != VSM_OK && !*vsm_error_message())
            abort();
        check_round_trip(&config);
    }
    vsm_options_finish(&config);
}
