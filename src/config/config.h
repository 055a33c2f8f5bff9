/* All settings of a job, as one plain struct filled from the option table (config/options.h).
 *
 * Every field is one row of the table: YAML key, type, range, unit, default, help. Strings are owned
 * by the struct.
 */
#ifndef VSM_CONFIG_CONFIG_H
#define VSM_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum vsm_config_layout {
    VSM_CONFIG_LAYOUT_AUTO,
    VSM_CONFIG_LAYOUT_SBS,
    VSM_CONFIG_LAYOUT_TB,
    VSM_CONFIG_LAYOUT_MONO
};
enum vsm_config_projection {
    VSM_CONFIG_PROJECTION_AUTO,
    VSM_CONFIG_PROJECTION_HALF_EQUIRECT,
    VSM_CONFIG_PROJECTION_FISHEYE,
    VSM_CONFIG_PROJECTION_RECTILINEAR,
};
/* What a run makes; output.format is a set of them. */
enum vsm_config_output_format {
    VSM_CONFIG_OUTPUT_GREEN = 1 << 0,
    VSM_CONFIG_OUTPUT_MATTE = 1 << 1,
    VSM_CONFIG_OUTPUT_ALPHA_PACKED = 1 << 2,
    VSM_CONFIG_OUTPUT_PRORES4444 = 1 << 3,
    VSM_CONFIG_OUTPUT_FFV1_ALPHA = 1 << 4,
    VSM_CONFIG_OUTPUT_VP9_ALPHA = 1 << 5,
    VSM_CONFIG_OUTPUT_PNG = 1 << 6,
    VSM_CONFIG_OUTPUT_EXR = 1 << 7,
};
enum vsm_config_alpha_color { VSM_CONFIG_ALPHA_GREY, VSM_CONFIG_ALPHA_RED };
enum vsm_config_alpha_mode { VSM_CONFIG_ALPHA_STRAIGHT, VSM_CONFIG_ALPHA_PREMULTIPLIED };
enum vsm_config_fisheye {
    VSM_CONFIG_FISHEYE_180,
    VSM_CONFIG_FISHEYE_190,
    VSM_CONFIG_FISHEYE_200,
    VSM_CONFIG_FISHEYE_220
};
enum vsm_config_output_projection {
    VSM_CONFIG_OUTPUT_AS_INPUT,
    VSM_CONFIG_OUTPUT_FISHEYE,
    VSM_CONFIG_OUTPUT_HALF_EQUIRECT
};
enum vsm_config_vr_boxes { VSM_CONFIG_VR_BOXES_SV3D, VSM_CONFIG_VR_BOXES_APMP, VSM_CONFIG_VR_BOXES_NONE };
enum vsm_config_audio { VSM_CONFIG_AUDIO_COPY, VSM_CONFIG_AUDIO_NONE };
enum vsm_config_device { VSM_CONFIG_DEVICE_AUTO, VSM_CONFIG_DEVICE_CPU, VSM_CONFIG_DEVICE_CUDA };
enum vsm_config_model { VSM_CONFIG_MODEL_RVM, VSM_CONFIG_MODEL_SAM2, VSM_CONFIG_MODEL_SAM2_RVM };
enum vsm_config_view {
    VSM_CONFIG_VIEW_AUTO,
    VSM_CONFIG_VIEW_DIRECT,
    VSM_CONFIG_VIEW_RECTILINEAR,
    VSM_CONFIG_VIEW_FISHEYE
};
enum vsm_config_swap { VSM_CONFIG_SWAP_AUTO, VSM_CONFIG_SWAP_FALSE, VSM_CONFIG_SWAP_TRUE };
enum vsm_config_stereo_mode { VSM_CONFIG_STEREO_MASTER_SLAVE, VSM_CONFIG_STEREO_INDEPENDENT };
enum vsm_config_eye { VSM_CONFIG_EYE_LEFT, VSM_CONFIG_EYE_RIGHT };
enum vsm_config_progress {
    VSM_CONFIG_PROGRESS_AUTO,
    VSM_CONFIG_PROGRESS_PLAIN,
    VSM_CONFIG_PROGRESS_JSON,
    VSM_CONFIG_PROGRESS_NONE
};

/* Stands for "auto" in numeric options that allow it. */
#define VSM_CONFIG_AUTO (-1)

struct vsm_config {
    struct {
        bool mode;
        int buffer_frames;
    } streaming;
    struct {
        char *path;
        enum vsm_config_layout layout;
        enum vsm_config_projection projection;
        double field_of_view; /* degrees, VSM_CONFIG_AUTO */
        char *circles;        /* config/circles.h; NULL: to be found */
        enum vsm_config_swap swap_eyes;
        int64_t start_frame;
        int64_t max_frames; /* 0 = all */
    } input;
    struct {
        char *path;      /* NULL: named from the input by the players' conventions */
        unsigned format; /* set of enum vsm_config_output_format, never empty */
        char *list;      /* config/output_list.h; NULL: what format says */
        char *codec;     /* "auto" or an FFmpeg encoder name */
        double crf;      /* VSM_CONFIG_AUTO = the codec's usual */
        char *preset;    /* NULL = the encoder's default */
        int64_t bitrate; /* bits a second, 0 = by crf */
        char *pix_fmt;   /* NULL = like the source */
        enum vsm_config_audio audio;
        uint32_t key_color; /* 0xRRGGBB */
        enum vsm_config_alpha_color alpha_color;
        enum vsm_config_fisheye fisheye_fov;
        enum vsm_config_alpha_mode alpha_mode;
        enum vsm_config_output_projection projection;
        double resize; /* of width and height */
        enum vsm_config_vr_boxes vr_boxes;
    } output;
    struct {
        double scale_factor; /* grid / eye size, VSM_CONFIG_AUTO */
        bool adaptive_scaling;
        double target_gpu_usage, min_scale, max_scale;
        double target_fps; /* 0 = none */
        enum vsm_config_device device;
        int threads; /* 0 = all cores */
    } processing;
    struct {
        enum vsm_config_model model;
        char *people;     /* rule of config/people_rule.h */
        char *tracker;    /* name of a checkpoint or path of its file; NULL: whichever is installed */
        int tracker_size; /* side of the tracker's picture; 0 = by the scale */
        char *prompts;    /* as config/prompts.h; NULL: everybody whom the detector finds */
        int max_conditioning_frames;
        bool continuous_correction;
        int correction_interval;
        bool memory_offload;
        double despill;
        enum vsm_config_view view;
        double view_fov; /* degrees, VSM_CONFIG_AUTO */
        bool view_follow;
    } matting;
    struct {
        enum vsm_config_stereo_mode mode;
        enum vsm_config_eye master_eye;
        double consistency_threshold;
        bool disparity_correction;
        double baseline;     /* millimetres */
        double focal_length; /* pixels per radian at the eye's size; VSM_CONFIG_AUTO */
    } stereo;
    struct {
        bool enable_checkpoints;
        int checkpoint_interval;
        bool auto_resume;
    } recovery;
    struct {
        char *dir; /* NULL: where the program was installed */
        bool graph_cache;
    } models;
    struct {
        int level; /* enum vsm_log_level */
        enum vsm_config_progress progress;
        char *progress_file; /* NULL = stderr */
        char *report;        /* NULL = OUT.report.json */
        char *stereo_list;   /* NULL: none */
    } logging;
};

#endif
