"""SAM 2 and EdgeTAM against the transformers library (its Sam2VideoModel and EdgeTamVideoModel).

    sam2_transformers.py PATH/oracle_sam2_run [tiny|small|base_plus|large|edgetam ...]
    sam2_transformers.py --cuda FRAMES PATH/oracle_sam2_run [...]

Makes a model with random weights that mean something, saves it as safetensors, tracks one click through moving
frames with both programs and prints the differences of the mask logits. With --cuda both run on a GPU: in float32, and in
half precision (there bfloat16) against float32, over FRAMES frames; the last tenth tells the drift. Needs torch and transformers (and timm for
EdgeTAM); not part of the test suite, because these are not among the dependencies.
"""
import os
import subprocess
import sys
import tempfile
import time
import types

import numpy as np
import torch

SIZE, FRAMES, CLICK = 1024, 4, (500.0, 400.0)
THREADS = os.cpu_count()
# Free run in float32, relative to the standard deviation of the logits. Stored memories are rounded to bfloat16 and a
# pixel of the prompt's binarised mask may flip, so that rounding differences grow.
MAX, RMS, MIN_IOU = 1e-2, 2e-3, 0.999


def hiera(channels, heads, blocks, windows, global_blocks, background):
    """The encoder's configuration: channels and heads double from stage to stage."""
    return dict(hidden_size=channels, num_attention_heads=heads, blocks_per_stage=blocks,
                embed_dim_per_stage=[channels << i for i in range(4)],
                num_attention_heads_per_stage=[heads << i for i in range(4)],
                window_size_per_stage=windows, global_attention_blocks=global_blocks,
                window_positional_embedding_background_size=[background, background])


SIZES = {
    "tiny": hiera(96, 1, [1, 2, 7, 2], [8, 4, 14, 7], [5, 7, 9], 7),
    "small": hiera(96, 1, [1, 2, 11, 2], [8, 4, 14, 7], [7, 10, 13], 7),
    "base_plus": hiera(112, 2, [2, 3, 16, 3], [8, 4, 14, 7], [12, 16, 20], 14),
    "large": hiera(144, 2, [2, 6, 36, 4], [8, 4, 16, 8], [23, 33, 43], 7),
}


def make_sam2(size):
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig
    backbone = Sam2HieraDetConfig(**SIZES[size])
    channels = SIZES[size]["embed_dim_per_stage"][::-1]
    vision = Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=channels)
    return Sam2VideoModel(Sam2VideoConfig(vision_config=vision))


def make_edgetam():
    from transformers import EdgeTamVideoConfig, EdgeTamVideoModel, TimmWrapperConfig
    from transformers.models.edgetam import configuration_edgetam

    def backbone(*_, **__):
        return TimmWrapperConfig(architecture="repvit_m1", do_pooling=False,
                                 model_args=dict(in_chans=3, features_only=True, out_indices=[0, 1, 2, 3]))

    # the library would look the default backbone's configuration up in the network
    configuration_edgetam.AutoConfig = types.SimpleNamespace(from_pretrained=backbone)
    return EdgeTamVideoModel(EdgeTamVideoConfig(vision_config=dict(model_type="edgetam_vision_model"),
                                                enable_occlusion_spatial_embedding=False,
                                                enable_temporal_pos_encoding_for_object_pointers=False))


def randomise(model):
    """Gains that keep activations near one, attention peaky and positions visible."""
    generator = torch.Generator().manual_seed(1)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() >= 2 and name.endswith("weight") and "embed" not in name.split(".")[-2]:
            fan_in = p[0].numel()
            gain = 1.5 if "q_proj" in name or "k_proj" in name else 1.0
            p.data = noise * gain / fan_in**0.5
        elif "norm" in name and name.endswith("weight") or ".bn." in name and name.endswith("weight"):
            p.data = 1 + 0.1 * noise
        elif name.endswith("bias"):
            p.data = 0.1 * noise
        else:
            p.data = 0.5 * noise
    for name, p in model.named_parameters():
        if "pred_obj_score_head.proj_out.bias" in name:
            p.data += 1
        if "output_hypernetworks_mlps" in name and "proj_out.weight" in name:
            p.data *= 3
    with torch.no_grad():
        # two copies of one matrix, which the converted checkpoints hold equal
        model.prompt_encoder.shared_embedding.positional_embedding.copy_(
            model.shared_image_embedding.positional_embedding)
        for module in model.modules():  # batch norms measure themselves on the first frame
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = 1.0
                module.train()
        model.vision_encoder(frames()[:1])
    return model.eval()


def frames():
    generator = torch.Generator().manual_seed(2)
    base = torch.randn(1, 3, 48, 48, generator=generator)
    wide = torch.nn.functional.interpolate(base, size=(SIZE + 128, SIZE + 128), mode="bicubic")
    return torch.cat([wide[:, :, 9 * t:9 * t + SIZE, 13 * t:13 * t + SIZE] for t in range(FRAMES)]).contiguous()


def picture_of(frame, count):
    phase = frame % (2 * (count - 1))
    return phase if phase < count else 2 * (count - 1) - phase


def reference(model, video, edgetam, device="cpu", dtype=torch.float32, length=FRAMES):
    import transformers
    if edgetam:
        session_class = transformers.EdgeTamVideoInferenceSession if hasattr(
            transformers, "EdgeTamVideoInferenceSession") else __import__(
                "transformers.models.edgetam_video.modeling_edgetam_video",
                fromlist=["x"]).EdgeTamVideoInferenceSession
    else:
        session_class = __import__("transformers.models.sam2_video.modeling_sam2_video",
                                   fromlist=["x"]).Sam2VideoInferenceSession
    session = session_class(video=None, video_height=SIZE, video_width=SIZE, inference_device=device,
                            inference_state_device=device, video_storage_device=device, dtype=dtype)
    out, times = [], []
    for t in range(length):
        if t == 0:
            index = session.obj_id_to_idx(1)
            points = torch.tensor([[[list(CLICK)]]], dtype=torch.float32)
            session.add_point_inputs(index, 0, {"point_coords": points,
                                                "point_labels": torch.ones(1, 1, 1, dtype=torch.int32)})
            session.obj_with_new_inputs = [1]
        start = time.perf_counter()
        with torch.no_grad():
            result = model(inference_session=session, frame=video[picture_of(t, len(video))])
        out.append(result.pred_masks.reshape(SIZE // 4, SIZE // 4).float().cpu().numpy())
        times.append(time.perf_counter() - start)
        if device == "cpu":
            print("  transformers frame", t, "score", getattr(result, "object_score_logits", None))
    print(f"  transformers on {device} in {dtype}: median {1e3 * np.median(times[len(times) // 2:]):.1f} ms a frame")
    return np.stack(out)


def report(what, actual, expected):
    difference = np.abs(actual - expected).reshape(len(actual), -1)
    rms = np.sqrt((difference**2).mean(1))
    tail = max(1, len(actual) // 10)
    either = ((actual > 0) | (expected > 0)).sum((1, 2))
    overlap = ((actual > 0) & (expected > 0)).sum((1, 2)) / np.maximum(either, 1)
    print(f"  {what}: max {difference.max():.2e}, rms mean {rms.mean():.2e}, first tenth {rms[:tail].mean():.2e}, last tenth "
          f"{rms[-tail:].mean():.2e}; mask IoU mean {overlap[either > 0].mean():.5f}, least {overlap[either > 0].min():.5f}",
          flush=True)


def compare_on_cuda(program, name, folder, length):
    edgetam = name == "edgetam"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    model = randomise(make_edgetam() if edgetam else make_sam2(name))
    model.save_pretrained(folder)
    video = frames()
    video.numpy().astype("<f4").tofile(os.path.join(folder, "frames.bin"))
    ours = {}
    for kind in ("cuda", "half"):
        out = os.path.join(folder, "out.bin")
        run = subprocess.run([program, os.path.join(folder, "model.safetensors"), str(SIZE),
                              os.path.join(folder, "frames.bin"), str(CLICK[0]), str(CLICK[1]), out, "4", kind,
                              str(length)], capture_output=True, text=True)
        print("  ours", kind, run.stdout.strip().split("\n")[-1], run.stderr[-300:])
        if run.returncode:
            return False
        ours[kind] = np.fromfile(out, "<f4").reshape(length, SIZE // 4, SIZE // 4)
    model = model.to("cuda")
    expected = reference(model, video.to("cuda"), edgetam, "cuda", torch.float32, length)
    print(f"{name}, {length} frames, logits std {expected.std():.2f}")
    report("ours float32 against transformers float32", ours["cuda"], expected)
    report("ours half against ours float32", ours["half"], ours["cuda"])
    report("ours half against transformers float32", ours["half"], expected)
    model = model.to(torch.bfloat16)
    rough = reference(model, video.to("cuda", torch.bfloat16), edgetam, "cuda", torch.bfloat16, length)
    report("transformers bfloat16 against its float32", rough, expected)
    return True


def check(program, name, folder):
    edgetam = name == "edgetam"
    model = randomise(make_edgetam() if edgetam else make_sam2(name))
    model.save_pretrained(folder)
    video = frames()
    expected = reference(model, video, edgetam)
    video.numpy().astype("<f4").tofile(os.path.join(folder, "frames.bin"))
    out = os.path.join(folder, "out.bin")
    run = subprocess.run([program, os.path.join(folder, "model.safetensors"), str(SIZE),
                          os.path.join(folder, "frames.bin"), str(CLICK[0]), str(CLICK[1]), out, str(THREADS)],
                         capture_output=True, text=True)
    print(run.stdout, run.stderr, sep="", end="")
    if run.returncode:
        return False
    actual = np.fromfile(out, "<f4").reshape(expected.shape)
    good = True
    for t in range(FRAMES):
        difference = np.abs(actual[t] - expected[t])
        either = ((actual[t] > 0) | (expected[t] > 0)).sum()
        both = ((actual[t] > 0) & (expected[t] > 0)).sum()
        overlap = both / either if either else 1.0
        print(f"  {name} frame {t}: logits std {expected[t].std():.2f}, differ by max {difference.max():.2e}, "
              f"rms {np.sqrt((difference**2).mean()):.2e}; mask IoU {overlap:.5f}")
        deviation = expected[t].std()
        good = (good and difference.max() <= MAX * deviation and overlap >= MIN_IOU
                and np.sqrt((difference**2).mean()) <= RMS * deviation)
    return good


def main():
    length = 0
    if len(sys.argv) > 2 and sys.argv[1] == "--cuda":
        length = int(sys.argv[2])
        del sys.argv[1:3]
    names = sys.argv[2:] or list(SIZES) + ["edgetam"]
    failed = []
    print("torch", torch.__version__, "transformers", __import__("transformers").__version__)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                program = os.path.abspath(sys.argv[1])
                good = compare_on_cuda(program, name, folder, length) if length else check(program, name, folder)
            except Exception as error:  # one model's trouble should not hide the others
                import traceback
                traceback.print_exc()
                print(f"  {name}: {error!r}")
                good = False
        print(name, "ok" if good else "NOT ok", flush=True)
        failed += [] if good else [name]
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
