#include "app/plan_outputs.h"

#include "base/mem.h"
#include "config/naming.h"
#include "geometry/alpha_pack.h"

#include <string.h>
#include <strings.h>

/* What a format comes to. Codec, profile and container are given only where the format fixes them. */
struct product {
    enum vsm_config_output_format format;
    const char *name;
    enum vsm_composite kind;
    const char *codec, *profile, *extension;
};

static const struct product products[] = {
    {VSM_CONFIG_OUTPUT_GREEN, "green", VSM_COMPOSITE_KEY, NULL, NULL, NULL},
    {VSM_CONFIG_OUTPUT_MATTE, "matte", VSM_COMPOSITE_MATTE, NULL, NULL, NULL},
    {VSM_CONFIG_OUTPUT_ALPHA_PACKED, "alpha_packed", VSM_COMPOSITE_FOREGROUND, NULL, NULL, NULL},
    {VSM_CONFIG_OUTPUT_PRORES4444, "prores4444", VSM_COMPOSITE_FOREGROUND, "prores_ks", "4444", "mov"},
    {VSM_CONFIG_OUTPUT_FFV1_ALPHA, "ffv1_alpha", VSM_COMPOSITE_FOREGROUND, "ffv1", NULL, "mkv"},
};

static const int fisheye_degrees[] = {
    [VSM_CONFIG_FISHEYE_180] = 180,
    [VSM_CONFIG_FISHEYE_190] = 190,
    [VSM_CONFIG_FISHEYE_200] = 200,
    [VSM_CONFIG_FISHEYE_220] = 220,
};

static const char *extension_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? dot + 1 : "";
}

static bool is_packed(const struct product *product)
{
    return product->format == VSM_CONFIG_OUTPUT_ALPHA_PACKED;
}

static int set_packing(const struct vsm_plan *plan, struct vsm_plan_output *output)
{
    const struct vsm_vr_layout *layout = &plan->layout;

    if (layout->projection != VSM_HALF_EQUIRECT || layout->eye_count != 2 ||
        layout->eyes[0].width != layout->eyes[1].width || layout->eyes[0].height != layout->eyes[1].height)
        return vsm_fail(
            VSM_E_USAGE,
            "output.format: alpha_packed is made of two half-equirect eyes, and %s has not got them; "
            "set input.layout and input.projection if that is wrong",
            plan->config->input.path);
    output->packed = true;
    output->packing = (struct vsm_composite_packing){
        .eyes = {layout->eyes[VSM_LEFT], layout->eyes[VSM_RIGHT]},
        .field_of_view = fisheye_degrees[plan->config->output.fisheye_fov],
        .height = vsm_alpha_pack_height(layout->eyes[0].height),
        .red = plan->config->output.alpha_color == VSM_CONFIG_ALPHA_RED,
    };
    output->height = output->packing.height;
    output->width = 2 * output->height;
    return VSM_OK;
}

/* Samples of the pictures, before the encoder. */
static void set_format(const struct vsm_plan *plan, const struct product *product,
                       struct vsm_plan_output *output)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    const struct vsm_format neutral = {.planes = VSM_PLANES_YUV,
                                       .depth = info->format.depth,
                                       .chroma_x = 1,
                                       .chroma_y = 1};

    output->colour = info->colour;
    output->format = info->format;
    if (product->kind == VSM_COMPOSITE_MATTE) {
        output->colour.full_range = false;
        output->format =
            (struct vsm_format){.planes = VSM_PLANES_GRAY, .depth = info->format.depth > 8 ? 10 : 8};
    } else if (info->format.planes == VSM_PLANES_GRAY || is_packed(product)) {
        output->format = neutral;
    } else if (product->codec) {
        bool deep = product->format == VSM_CONFIG_OUTPUT_FFV1_ALPHA && info->format.depth > 10;

        output->format = (struct vsm_format){.planes = VSM_PLANES_YUVA, .depth = deep ? 16 : 10};
    }
}

static void set_key(const struct vsm_config *config, const struct product *product,
                    struct vsm_plan_output *output)
{
    output->kind = product->kind;
    if (product->codec && config->output.alpha_mode == VSM_CONFIG_ALPHA_PREMULTIPLIED)
        output->kind = VSM_COMPOSITE_KEY;
    for (int i = 0; i < 3 && product->format == VSM_CONFIG_OUTPUT_GREEN; i++)
        output->key[i] = (uint8_t)(config->output.key_color >> (16 - 8 * i));
}

static int set_encoder(const struct vsm_plan *plan, const struct product *product,
                       struct vsm_plan_output *output)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    struct vsm_video_encoder_options *encoder = &output->writer.encoder;
    const struct vsm_config *config = plan->config;

    *encoder = (struct vsm_video_encoder_options){
        .codec = product->codec ? product->codec : config->output.codec,
        .preset = product->codec ? product->profile : config->output.preset,
        .crf = product->codec ? VSM_CONFIG_AUTO : config->output.crf,
        .bitrate = product->codec ? 0 : config->output.bitrate,
        .pix_fmt = product->codec ? NULL : config->output.pix_fmt,
        .threads = plan->threads,
        .width = output->width,
        .height = output->height,
        .format = output->format,
        .colour = output->colour,
        .time_base = info->time_base,
        .frame_rate = info->frame_rate,
        .sample_aspect = output->packed ? (struct vsm_rational){1, 1} : info->sample_aspect,
        .source = product->kind == VSM_COMPOSITE_MATTE ? NULL : plan->reader,
    };
    if (strcmp(encoder->codec, "auto") == 0)
        encoder->codec =
            vsm_video_encoder_auto(extension_of(output->path), output->format.depth, output->width, false);
    if (!encoder->codec)
        return vsm_fail(VSM_E_OUTPUT, "%s: the linked FFmpeg has no encoder that fits; set output.codec",
                        output->path);
    return VSM_OK;
}

static int check_name(const struct vsm_plan *plan, const struct product *product, const char *path)
{
    if (product->extension && strcasecmp(extension_of(path), product->extension) != 0)
        return vsm_fail(VSM_E_USAGE, "%s: %s is written to .%s files; choose such a name with --output", path,
                        product->name, product->extension);
    return vsm_naming_check(plan->config->input.path, path);
}

static int add_output(struct vsm_plan *plan, const struct product *product, const char *path)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    struct vsm_plan_output *output = &plan->outputs[plan->output_count++];
    const struct vsm_config *config = plan->config;
    int status;

    output->name = product->name;
    output->path = vsm_mem_string("output path", path);
    output->temporary_path = vsm_mem_format("output path", "%s.part", path);
    if (!output->path || !output->temporary_path)
        return VSM_E_NOMEM;
    output->width = info->width;
    output->height = info->height;
    output->writer = (struct vsm_video_writer_options){
        .path = output->path,
        .temporary_path = output->temporary_path,
        .source_path = config->output.audio == VSM_CONFIG_AUDIO_COPY ? config->input.path : NULL,
        .end_pts = INT64_MAX,
        .write_vr_boxes = plan->layout.projection == VSM_HALF_EQUIRECT &&
                          plan->layout.layout != VSM_LAYOUT_MONO && !is_packed(product),
        .right_left = plan->layout.right_left,
        .layout = plan->layout.layout,
    };
    status = check_name(plan, product, path);
    if (status == VSM_OK && is_packed(product))
        status = set_packing(plan, output);
    if (status != VSM_OK)
        return status;
    set_format(plan, product, output);
    set_key(config, product, output);
    return set_encoder(plan, product, output);
}

/* The first output has the name that the user gave; the others are named after it, or all after the input. */
static int name_output(const struct vsm_plan *plan, const struct product *product, char **path)
{
    const struct vsm_config *config = plan->config;
    const struct vsm_naming naming = {
        .layout = plan->layout.layout,
        .projection = plan->layout.projection,
        .right_left = plan->layout.right_left,
        .format = product->format,
        .codec = product->codec ? product->codec : config->output.codec,
        .field_of_view = fisheye_degrees[config->output.fisheye_fov],
    };

    if (plan->output_count > 0 && product->format == VSM_CONFIG_OUTPUT_MATTE)
        return vsm_naming_matte(plan->outputs[0].path, path);
    if (!config->output.path)
        return vsm_naming_output(config->input.path, &naming, path);
    if (plan->output_count > 0)
        return vsm_naming_output(config->output.path, &naming, path);
    *path = vsm_mem_string("output path", config->output.path);
    return *path ? VSM_OK : VSM_E_NOMEM;
}

int vsm_plan_outputs(struct vsm_plan *plan)
{
    for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++) {
        char *path = NULL;
        int status;

        if (!(plan->config->output.format & products[i].format))
            continue;
        status = name_output(plan, &products[i], &path);
        if (status == VSM_OK)
            status = add_output(plan, &products[i], path);
        vsm_mem_free(path);
        if (status != VSM_OK)
            return status;
    }
    return VSM_OK;
}

void vsm_plan_outputs_targets(const struct vsm_plan *plan,
                              struct vsm_composite_target targets[VSM_MAX_OUTPUTS])
{
    for (int i = 0; i < plan->output_count; i++) {
        const struct vsm_plan_output *output = &plan->outputs[i];

        targets[i] = (struct vsm_composite_target){.kind = output->kind,
                                                   .format = output->format,
                                                   .colour = output->colour,
                                                   .packing = output->packed ? &output->packing : NULL};
        memcpy(targets[i].key, output->key, sizeof(targets[i].key));
    }
}
