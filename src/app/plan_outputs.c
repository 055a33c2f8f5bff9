#include "app/plan_outputs.h"

#include "app/encoder_shares.h"
#include "app/lens_plan.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/naming.h"
#include "geometry/reprojection.h"
#include "media/capability.h"
#include "media/muxer.h"

#include <string.h>
#include <sys/stat.h>

/* What a format comes to. Codec, profile, pixel format and container are given only where the format fixes
 * them. */
struct product {
    enum vsm_config_output_format format;
    const char *name;
    enum vsm_composite kind;
    const char *codec, *profile, *pix_fmt;
    const char *container, *extension; /* the muxer's name */
    bool sequence;                     /* a folder of pictures */
};

static const struct product products[] = {
    {VSM_CONFIG_OUTPUT_GREEN, "green", VSM_COMPOSITE_KEY},
    {VSM_CONFIG_OUTPUT_MATTE, "matte", VSM_COMPOSITE_MATTE},
    {VSM_CONFIG_OUTPUT_ALPHA_PACKED, "alpha_packed", VSM_COMPOSITE_FOREGROUND},
    {VSM_CONFIG_OUTPUT_PRORES4444, "prores4444", VSM_COMPOSITE_FOREGROUND, "prores_ks", "4444", NULL, "mov",
     ".mov"},
    {VSM_CONFIG_OUTPUT_FFV1_ALPHA, "ffv1_alpha", VSM_COMPOSITE_FOREGROUND, "ffv1", NULL, NULL, "matroska",
     ".mkv"},
    {VSM_CONFIG_OUTPUT_VP9_ALPHA, "vp9_alpha", VSM_COMPOSITE_FOREGROUND, "libvpx-vp9", NULL, "yuva420p",
     "webm", ".webm"},
    {VSM_CONFIG_OUTPUT_PNG, "png", VSM_COMPOSITE_FOREGROUND, "png", NULL, "rgba64be", .sequence = true},
    {VSM_CONFIG_OUTPUT_EXR, "exr", VSM_COMPOSITE_FOREGROUND, "exr", NULL, "gbrapf32le", .sequence = true},
};

/* A wish with what it comes to. */
struct wish {
    const struct vsm_output_list_item *item;
    const struct vsm_config *config; /* item->settings: of section `output` only */
    const struct product *product;
};

static const int fisheye_degrees[] = {
    [VSM_CONFIG_FISHEYE_180] = 180,
    [VSM_CONFIG_FISHEYE_190] = 190,
    [VSM_CONFIG_FISHEYE_200] = 200,
    [VSM_CONFIG_FISHEYE_220] = 220,
};

static bool is_packed(const struct wish *wish)
{
    return wish->product->format == VSM_CONFIG_OUTPUT_ALPHA_PACKED;
}

static bool is_fisheye(const struct wish *wish)
{
    return is_packed(wish) || wish->config->output.projection == VSM_CONFIG_OUTPUT_FISHEYE;
}

/* Fisheye eyes that shall become half-equirect ones. */
static bool is_unrolled(const struct vsm_plan *plan, const struct wish *wish)
{
    return !is_packed(wish) && wish->config->output.projection == VSM_CONFIG_OUTPUT_HALF_EQUIRECT &&
           plan->layout.projection != VSM_HALF_EQUIRECT;
}

static int set_packing(const struct vsm_plan *plan, const struct wish *wish, struct vsm_plan_output *output)
{
    struct vsm_composite_packing packing = {
        .half_equirect = is_unrolled(plan, wish),
        .field_of_view = is_unrolled(plan, wish) ? 180 : fisheye_degrees[wish->config->output.fisheye_fov],
        .mattes = is_packed(wish),
        .red = wish->config->output.alpha_color == VSM_CONFIG_ALPHA_RED,
    };
    const char *wanted = is_packed(wish)         ? "output.format: alpha_packed"
                         : packing.half_equirect ? "output.projection: half_equirect"
                                                 : "output.projection: fisheye";
    int status = vsm_lens_plan_common(plan, wanted, packing.eyes, &packing.lens);

    if (status != VSM_OK)
        return status;
    packing.height = vsm_reprojection_height(plan->layout.eyes[VSM_LEFT].height);
    output->packed = true;
    output->packing = packing;
    output->height = output->packing.height;
    output->width = 2 * output->height;
    return VSM_OK;
}

/* Size of the file's pictures: what eyes and chroma divide evenly. */
static void set_size(const struct wish *wish, struct vsm_plan_output *output)
{
    int unit = output->packed ? VSM_REPROJECTION_ALIGNMENT : 4;
    double scale = wish->config->output.resize;

    output->file_width = output->width;
    output->file_height = output->height;
    if (scale >= 1)
        return;
    output->file_height = (int)(output->height * scale / unit + 0.5) * unit;
    output->file_height = output->file_height < unit ? unit : output->file_height;
    output->file_width = (int)(output->width * scale / unit + 0.5) * unit;
    output->file_width = output->file_width < unit ? unit : output->file_width;
    if (output->packed)
        output->file_width = 2 * output->file_height;
}

/* Bits a sample of a matte: of the pixel format that is asked for, all that FFV1 can keep, or near the
 * input's. */
static int matte_depth(const struct wish *wish, int input_depth)
{
    const char *pix_fmt = wish->config->output.pix_fmt;
    int depth = pix_fmt ? vsm_video_encoder_depth(pix_fmt) : 0;

    if (depth >= 8 && depth <= 16)
        return depth;
    if (strcmp(wish->config->output.codec, "ffv1") == 0)
        return 16;
    return input_depth > 8 ? 10 : 8;
}

/* Samples of the pictures, before the encoder. */
static void set_format(const struct vsm_plan *plan, const struct wish *wish, struct vsm_plan_output *output)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    const struct vsm_format neutral = {.planes = VSM_PLANES_YUV,
                                       .depth = info->format.depth,
                                       .chroma_x = 1,
                                       .chroma_y = 1};
    const struct product *product = wish->product;

    output->colour = info->colour;
    output->format = info->format;
    if (output->format.planes == VSM_PLANES_NV) /* as a device decodes; what encoders take is planar */
        output->format = neutral;
    if (product->kind == VSM_COMPOSITE_MATTE) {
        output->colour.full_range = false;
        output->format = (struct vsm_format){.planes = VSM_PLANES_GRAY,
                                             .depth = (uint8_t)matte_depth(wish, info->format.depth)};
    } else if (product->format == VSM_CONFIG_OUTPUT_VP9_ALPHA) {
        output->format =
            (struct vsm_format){.planes = VSM_PLANES_YUVA, .depth = 8, .chroma_x = 1, .chroma_y = 1};
    } else if (product->codec) {
        bool deep =
            product->sequence || (product->format == VSM_CONFIG_OUTPUT_FFV1_ALPHA && info->format.depth > 10);

        output->format = (struct vsm_format){.planes = VSM_PLANES_YUVA, .depth = deep ? 16 : 10};
    } else if (info->format.planes == VSM_PLANES_GRAY || output->packed) {
        output->format = neutral;
    }
}

static void set_key(const struct wish *wish, struct vsm_plan_output *output)
{
    output->kind = wish->product->kind;
    if (wish->product->codec && wish->config->output.alpha_mode == VSM_CONFIG_ALPHA_PREMULTIPLIED)
        output->kind = VSM_COMPOSITE_KEY;
    for (int i = 0; i < 3 && wish->product->format == VSM_CONFIG_OUTPUT_GREEN; i++)
        output->key[i] = (uint8_t)(wish->config->output.key_color >> (16 - 8 * i));
}

/* Whether a setting of the encoder is for this output: the section's own are not for formats that fix the
 * codec. */
static bool counts(const struct wish *wish, const char *key)
{
    return !wish->product->codec || vsm_output_list_gives(wish->item, key);
}

/* NVENC's own format for pictures that are made on its device, or nothing. */
static void feed_on_device(const struct vsm_plan *plan, struct vsm_plan_output *output)
{
    struct vsm_video_encoder_options *encoder = &output->writer.encoder;
    const uint8_t depth = output->format.depth;

    if (!plan->gpu || encoder->pix_fmt || (depth != 8 && depth != 10) ||
        encoder->width != encoder->picture_width || encoder->height != encoder->picture_height)
        return;
    output->format = (struct vsm_format){
        .planes = VSM_PLANES_NV, .depth = depth, .shift = depth == 10 ? 6 : 0, .chroma_x = 1, .chroma_y = 1};
    encoder->format = output->format;
    encoder->on_device = true;
}

/* NVENC where it opens, else what `auto` chooses, with the reason: many cards have none. */
static int settle_nvenc(const struct vsm_plan *plan, struct vsm_plan_output *output)
{
    struct vsm_video_encoder_options *encoder = &output->writer.encoder;
    const char *wanted = encoder->codec;
    int status;

    if (strcmp(wanted, "h264_nvenc") != 0 && strcmp(wanted, "hevc_nvenc") != 0)
        return VSM_OK;
    status = vsm_capability_nvenc(wanted, encoder->format, encoder->pix_fmt);
    if (status == VSM_OK) {
        feed_on_device(plan, output);
        return VSM_OK;
    }
    if (status == VSM_E_NOMEM)
        return status;
    encoder->codec = vsm_video_encoder_auto(output->path, output->format.depth, output->file_width, false);
    vsm_log(VSM_LOG_WARN, output->path, "%s; %s is used instead", vsm_error_message(),
            encoder->codec ? encoder->codec : "nothing");
    return VSM_OK;
}

static int set_encoder(const struct vsm_plan *plan, const struct wish *wish, struct vsm_plan_output *output)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    struct vsm_video_encoder_options *encoder = &output->writer.encoder;
    const struct product *product = wish->product;
    const struct vsm_config *config = wish->config;

    if (product->codec && vsm_output_list_gives(wish->item, "output.codec"))
        return vsm_fail(VSM_E_USAGE, "output.list: %s is always written by %s; leave codec out",
                        product->name, product->codec);
    *encoder = (struct vsm_video_encoder_options){
        .codec = product->codec ? product->codec : config->output.codec,
        .preset = counts(wish, "output.preset") ? config->output.preset : product->profile,
        .crf = counts(wish, "output.crf") ? config->output.crf : VSM_CONFIG_AUTO,
        .bitrate = counts(wish, "output.bitrate") ? config->output.bitrate : 0,
        .pix_fmt = counts(wish, "output.pix_fmt") ? config->output.pix_fmt : product->pix_fmt,
        .threads = plan->threads,
        .width = output->file_width,
        .height = output->file_height,
        .picture_width = output->width,
        .picture_height = output->height,
        .format = output->format,
        .colour = output->colour,
        .time_base = info->time_base,
        .frame_rate = info->frame_rate,
        .sample_aspect = output->packed ? (struct vsm_rational){1, 1} : info->sample_aspect,
        .source = product->kind == VSM_COMPOSITE_MATTE ? NULL : plan->reader,
    };
    if (settle_nvenc(plan, output) != VSM_OK)
        return VSM_E_NOMEM;
    if (encoder->codec && strcmp(encoder->codec, "auto") == 0)
        encoder->codec =
            vsm_video_encoder_auto(output->path, output->format.depth, output->file_width, false);
    if (!encoder->codec)
        return vsm_fail(VSM_E_OUTPUT, "%s: the linked FFmpeg has no encoder that fits; set output.codec",
                        output->path);
    return VSM_OK;
}

static int check_name(const struct vsm_plan *plan, const struct product *product, const char *path)
{
    const char *container = product->container ? vsm_muxer_format_of(path) : NULL;

    if (product->container && (!container || strcmp(container, product->container) != 0))
        return vsm_fail(VSM_E_USAGE, "%s: %s is written to %s files; choose such a name with --output", path,
                        product->name, product->extension);
    for (int i = 0; i < plan->output_count; i++)
        if (plan->outputs[i].path && strcmp(plan->outputs[i].path, path) == 0)
            return vsm_fail(VSM_E_USAGE,
                            "%s: two outputs would have this name; give one of them a path in output.list",
                            path);
    return vsm_naming_check(plan->config->input.path, path);
}

static void set_boxes(const struct vsm_plan *plan, const struct wish *wish, struct vsm_plan_output *output)
{
    struct vsm_video_writer_options *writer = &output->writer;

    writer->layout = plan->layout.layout;
    writer->right_left = plan->layout.right_left;
    writer->vr_boxes = VSM_VR_BOXES_NONE;
    if (output->packed) {
        writer->layout = VSM_LAYOUT_SBS;
        writer->right_left = false;
    }
    /* No box says what circles hold; the input's would be a lie. */
    if (output->packed
            ? !output->packing.half_equirect
            : plan->layout.projection != VSM_HALF_EQUIRECT || plan->layout.layout == VSM_LAYOUT_MONO)
        return;
    if (wish->config->output.vr_boxes == VSM_CONFIG_VR_BOXES_SV3D)
        writer->vr_boxes = VSM_VR_BOXES_SV3D;
    else if (wish->config->output.vr_boxes == VSM_CONFIG_VR_BOXES_APMP)
        writer->vr_boxes = VSM_VR_BOXES_APMP;
}

static int add_output(struct vsm_plan *plan, const struct wish *wish, const char *path)
{
    const struct vsm_video_info *info = vsm_video_reader_info(plan->reader);
    struct vsm_plan_output *output = &plan->outputs[plan->output_count];
    bool audio = wish->config->output.audio == VSM_CONFIG_AUDIO_COPY && !wish->product->sequence;
    int status = check_name(plan, wish->product, path);

    plan->output_count++;
    if (status != VSM_OK)
        return status;
    output->name = wish->product->name;
    output->path = vsm_mem_string("output path", path);
    output->temporary_path = vsm_mem_format("output path", "%s.part", path);
    if (!output->path || !output->temporary_path)
        return VSM_E_NOMEM;
    output->width = info->width;
    output->height = info->height;
    output->writer = (struct vsm_video_writer_options){
        .path = output->path,
        .temporary_path = output->temporary_path,
        .sequence = wish->product->sequence,
        .source_path = audio ? plan->config->input.path : NULL,
        .end_pts = INT64_MAX,
    };
    if (is_fisheye(wish) || is_unrolled(plan, wish))
        status = set_packing(plan, wish, output);
    if (status != VSM_OK)
        return status;
    set_size(wish, output);
    set_boxes(plan, wish, output);
    set_format(plan, wish, output);
    set_key(wish, output);
    return set_encoder(plan, wish, output);
}

/* The first output has the name that the user gave, others that of their item; the rest are named after the
 * first, or all after the input. */
static int name_output(const struct vsm_plan *plan, const struct wish *wish, char **path)
{
    const char *given = wish->config->output.path, *first = plan->config->output.path;
    const bool unrolled = is_unrolled(plan, wish);
    const struct vsm_naming naming = {
        .layout = unrolled ? VSM_LAYOUT_SBS : plan->layout.layout,
        .projection = unrolled ? VSM_HALF_EQUIRECT : plan->layout.projection,
        .right_left = plan->layout.right_left && !unrolled,
        .format = wish->product->format,
        .codec = wish->product->codec ? wish->product->codec : wish->config->output.codec,
        .field_of_view = is_fisheye(wish) ? fisheye_degrees[wish->config->output.fisheye_fov] : 0,
    };

    if (given) {
        *path = vsm_mem_string("output path", given);
        return *path ? VSM_OK : VSM_E_NOMEM;
    }
    if (plan->output_count > 0 && wish->product->format == VSM_CONFIG_OUTPUT_MATTE && !is_fisheye(wish) &&
        !unrolled && !plan->outputs[0].packed && !plan->outputs[0].writer.sequence &&
        !vsm_output_list_gives(wish->item, "output.codec"))
        return vsm_naming_matte(plan->outputs[0].path, path);
    return vsm_naming_output(first ? first : plan->config->input.path, &naming, path);
}

static const struct product *find_product(enum vsm_config_output_format format)
{
    size_t i = 0;

    while (products[i].format != format)
        i++;
    return &products[i];
}

static void share_threads(struct vsm_plan *plan)
{
    struct vsm_encoder_share shares[VSM_MAX_OUTPUTS];

    for (int i = 0; i < plan->output_count; i++) {
        const struct vsm_video_encoder_options *encoder = &plan->outputs[i].writer.encoder;

        shares[i] = (struct vsm_encoder_share){
            .work = (double)encoder->width * encoder->height * vsm_video_encoder_cost(encoder->codec),
            .most = vsm_video_encoder_most_threads(encoder->codec, encoder->width, encoder->height)};
    }
    vsm_encoder_shares_divide(shares, plan->output_count, plan->threads);
    for (int i = 0; i < plan->output_count; i++)
        plan->outputs[i].writer.encoder.threads = shares[i].threads;
}

/* A file that the job writes beside its outputs must be neither its input nor one of them. */
static int check_side_file(const struct vsm_plan *plan, const char *key, const char *path)
{
    bool taken = vsm_naming_same_file(plan->config->input.path, path);

    for (int i = 0; i < plan->output_count; i++)
        taken = taken || vsm_naming_same_file(plan->outputs[i].path, path) ||
                vsm_naming_same_file(plan->outputs[i].temporary_path, path);
    return taken ? vsm_fail(VSM_E_USAGE, "%s: %s is the input or an output; choose another file", key, path)
                 : VSM_OK;
}

/* A folder in an output's place would only show at the very end, when the output gets its name. */
static int check_place(const struct vsm_plan_output *output)
{
    struct stat info;

    if (output->writer.sequence || stat(output->path, &info) != 0 || !S_ISDIR(info.st_mode))
        return VSM_OK;
    return vsm_fail(VSM_E_USAGE, "%s: is a folder, and the output is a file; give its name with --output",
                    output->path);
}

/* Nothing that is written may be what is read: outputs grow under temporary names, and what has those is
 * replaced. */
static int check_files(const struct vsm_plan *plan)
{
    const struct vsm_config *config = plan->config;
    int status = VSM_OK;

    for (int i = 0; i < plan->output_count && status == VSM_OK; i++) {
        const char *growing = plan->outputs[i].temporary_path;

        if (vsm_naming_same_file(config->input.path, growing))
            status = vsm_fail(
                VSM_E_USAGE,
                "%s: the output would grow under the input's name; choose another name with --output",
                growing);
        if (status == VSM_OK)
            status = check_place(&plan->outputs[i]);
    }
    if (status == VSM_OK && config->logging.report)
        status = check_side_file(plan, "logging.report", config->logging.report);
    if (status == VSM_OK && config->logging.progress_file)
        status = check_side_file(plan, "logging.progress_file", config->logging.progress_file);
    return status;
}

int vsm_plan_outputs(struct vsm_plan *plan)
{
    for (int i = 0; i < plan->list.count; i++) {
        const struct vsm_output_list_item *item = &plan->list.items[i];
        const struct wish wish = {item, &item->settings, find_product(item->format)};
        char *path = NULL;
        int status = name_output(plan, &wish, &path);

        if (status == VSM_OK)
            status = add_output(plan, &wish, path);
        vsm_mem_free(path);
        if (status != VSM_OK)
            return status;
    }
    share_threads(plan);
    return check_files(plan);
}

void vsm_plan_outputs_targets(const struct vsm_plan *plan,
                              struct vsm_composite_target targets[VSM_MAX_OUTPUTS])
{
    for (int i = 0; i < plan->output_count; i++) {
        const struct vsm_plan_output *output = &plan->outputs[i];

        targets[i] = (struct vsm_composite_target){.kind = output->kind,
                                                   .format = output->format,
                                                   .colour = output->colour,
                                                   .packing = output->packed ? &output->packing : NULL,
                                                   .on_device = output->writer.encoder.on_device};
        memcpy(targets[i].key, output->key, sizeof(targets[i].key));
    }
}
