#!/bin/bash
# Runs on the machine with the GPU, in the folders that carry.sh made. Usage: run.sh TASK...
#   libs       unpacks libs.tar.xz, which lies beside this script or in LIBS, to /opt/vsm
#   card       what the machine has, and what doctor says of it
#   tests      kernels against the C reference      drift      the network over 2,000 frames
#   sanitize   compute-sanitizer, four tools        bench      kernels and frames at 8192x4096
#   sam2sanitize  the same over the tracker's kernels
#   sam2many   several people from the first frame on    sam2cache  stored networks, made and read
#   peer       PyTorch with the same weights        stream     whole pipelines without an encoder
#   sam2       SAM 2 and EdgeTAM through ONNX Runtime: reference data, networks, whole frames, attention kernels
#   sam2peer   the same against the transformers library, 500 frames (both after libs with ort.tar.xz in LIBS)
#   stereo     comparing and mending the eyes: every kernel against the C code, call by call
#   stereosanitize  compute-sanitizer over that   stereobench  what a frame of it takes, against the C code
#   detector   people on the card against the CPU, and what looking for them costs a pipeline and a job
#   leaks      10,000 frames                        jobs       whole jobs, CPU against GPU, encoders
#   adaptive   the grid follows the load, under direct and under turned views, and a resumed job knows its changes (needs
#              fault points)
#   faults     device lost or full in a job (needs a build with -Dfault_points=true), and the CPU goes on from there
#   full       no memory at each of the first places in turn (needs fault points), and with a card that another program fills
#   fades      views that change in a job: CPU against GPU, killed within the change (needs fault points)
#   repair     an eye that is out of focus for a while: CPU against GPU until it recovers, then beyond; killed while repairs of
#              its states are under way, and resumed on either device (needs fault points)
#   resume     killed on the card and resumed there: the same bytes
#   track      the same with EdgeTAM and the matter (after libs with ort.tar.xz in LIBS)
#   sam2profile  the kernels of every network by their time
# CLIP8K and CLIP2K are files beside this script; fades wants what fade_clip.sh makes, as fades_LR_180_SBS.mp4; repair the
# source that "make_stereo_truth --frames 70 --eye 512 --fault blurred:12:30 portrait-near NAME" makes, as repair_LR_180_SBS.mkv.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="/opt/vsm/lib:/usr/local/nvidia/lib64:/usr/local/nvidia/lib" VSM_SHARED="$here/shared"
model=/tmp/vsm-models/rvm.json detector=/tmp/vsm-models/movenet-multipose.json
clip8k=$here/${CLIP8K:-k8_LR_180_SBS.mp4} clip2k=$here/${CLIP2K:-people_LR_180_SBS.mp4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -d "$here/models" ] && ln -sfn "$here/models" /tmp/vsm-models

job() { # NAME OPTIONS...: a whole job; prints its last lines and its stages
    local name=$1
    shift
    echo "# $name: $*"
    "$here/vr180-streaming" "$@" --restart --progress none 2>&1 | tail -7
}

scaling() { # REPORT: what adaptive scaling did
    tr -d ' \n' <"$1" | grep -Eo '"scaling":\{.*"stages"' | cut -c1-600
    tr -d ' \n' <"$1" | grep -Eo '"views":\{.*"track"' | cut -c1-300
}

hog() { # MIB: the shell becomes a program that has all of the device's memory but so much; it writes "full" then
    exec python3 -c "
import ctypes, signal
cuda = ctypes.CDLL('libcuda.so.1')
context, memory, free, all = ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_size_t(), ctypes.c_size_t()
assert not cuda.cuInit(0) and not cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
assert not cuda.cuCtxSetCurrent(context) and not cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(all))
assert not cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(free.value - ($1 << 20)))
print('full', flush=True)
signal.pause()"
}

use_ort() { # ONNX Runtime's own libraries, and NVIDIA's that it loads, from PyTorch's packages or the toolkit
    local nvidia
    nvidia=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null)
    LD_LIBRARY_PATH="/opt/vsm/ort:$LD_LIBRARY_PATH:$(find $nvidia /usr/local/cuda*/lib64 -name 'lib*.so*' -printf '%h:\n' | sort -u | tr -d '\n')"
}

for what; do
    echo "## $what $(date -u +%T)"
    case $what in
    libs)
        mkdir -p /opt/vsm
        for pack in "${LIBS:-$here}"/libs.tar.xz "${LIBS:-$here}"/ort.tar.xz; do
            [ ! -f "$pack" ] || tar -C /opt/vsm -xJf "$pack"
        done
        ls /opt/vsm/*
        ;;
    sam2)
        use_ort
        for run in "tiny256_long cuda" "tiny256_long half" "edgetam512_long cuda" "edgetam512_long half"; do
            # shellcheck disable=SC2086
            VSM_SLOW_TESTS=1 timeout 90 "$here/golden_sam2" $run | grep -E "free run|^not"
        done
        for model in sam2.1_tiny edgetam; do
            timeout 90 "$here/bench_gpu_sam2" "$VSM_SHARED/golden/sam2/weights/$model.json" 1024 200
        done
        ORT_ENABLE_ATTENTION_KERNEL_DEBUG_INFO=1 "$here/bench_gpu_sam2" "$VSM_SHARED/golden/sam2/weights/sam2.1_tiny.json" 1024 1 |
            grep -o "SdpaKernel=[A-Z_]*" | sort | uniq -c
        ;;
    sam2sanitize)
        use_ort
        for tool in memcheck initcheck synccheck racecheck; do
            echo "# compute-sanitizer --tool $tool $(date -u +%T)"
            timeout 90 compute-sanitizer --tool $tool --error-exitcode 9 "$here/oracle_gpu_ops" 2>&1 | grep -v "largest difference" | tail -8
        done
        ;;
    sam2many)
        use_ort
        timeout 60 "$here/bench_gpu_sam2" "$VSM_SHARED/golden/sam2/weights/sam2.1_tiny.json" 1024 60 3
        timeout 100 "$here/bench_gpu_sam2" "$VSM_SHARED/golden/sam2/weights/edgetam.json" 1024 60 3
        ;;
    sam2cache)
        use_ort
        for model in sam2.1_tiny edgetam; do
            for start in none first second; do
                echo "# stored networks: $start"
                timeout 60 "$here/bench_gpu_sam2" "$VSM_SHARED/golden/sam2/weights/$model.json" 1024 20 \
                    $([ $start = none ] || echo "cache=$work/cache")
            done
        done
        du -sh "$work/cache"
        ;;
    sam2peer)
        use_ort
        python3 "$here/sam2_transformers.py" --cuda 500 "$here/oracle_sam2_run" tiny edgetam
        ;;
    card)
        nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,temperature.gpu,memory.used --format=csv
        ls /usr/local/nvidia/lib64 /usr/local/nvidia/lib 2>/dev/null | grep -E "nvcuvid|nvidia-ml|nvidia-encode" | tr '\n' ' '
        ldconfig -p | grep -E "nvcuvid|nvidia-encode|libcuda\.|nvidia-ml" | head
        "$here/vr180-streaming" doctor 2>&1 | head -40
        ;;
    tests)
        "$here/oracle_gpu"
        "$here/oracle_gpu_scaling"
        "$here/oracle_gpu_detector"
        use_ort
        "$here/oracle_gpu_ops" time
        ;;
    stereo) "$here/oracle_gpu_stereo" ;;
    stereosanitize)
        for tool in memcheck initcheck synccheck racecheck; do
            echo "# compute-sanitizer --tool $tool $(date -u +%T)"
            timeout 110 compute-sanitizer --tool $tool --error-exitcode 9 "$here/oracle_gpu_stereo" small 2>&1 | grep -v "^# [mp]" | tail -12
        done
        ;;
    stereobench) "$here/bench_gpu_stereo" "$VSM_SHARED/data" ;;
    detector)
        cd "$work"
        "$here/oracle_gpu_detector" "$clip2k" "$clip8k"
        timeout 100 compute-sanitizer --tool memcheck --error-exitcode 9 "$here/oracle_gpu_detector" small 2>&1 | tail -4
        for clip in "$clip8k 800 1024" "$clip2k 1200 768"; do
            for mode in "" "people $detector" "people $detector detect 8" "people $detector" "people $detector detect 8" ""; do
                # shellcheck disable=SC2086
                timeout 60 "$here/bench_gpu_stream" $model $clip $mode
            done
        done
        for device in cuda cpu; do
            job $device "$clip2k" -o $device.mkv --set output.format=matte --set output.codec=ffv1 --set processing.device=$device
            tr -d ' \n' <$device.mkv.report.json | grep -Eo '"people":\{.*"views"'
        done
        VSM_FAULT=gpu.detector:1:12 "$here/vr180-streaming" "$clip2k" -o f.mkv --max-frames 4 --progress none 2>&1 | grep detector
        "$here/vr180-streaming" doctor | grep -A4 self-test
        ;;
    drift) VSM_GPU_FRAMES=2000 "$here/oracle_gpu" ;;
    bench)
        "$here/bench_gpu_frame" $model --profile
        nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw --format=csv,noheader
        ;;
    peer)
        for grid in 1024 512; do
            mkdir -p "$work/$grid"
            "$here/bench_gpu_dump_graph" $model $grid "$work/$grid" && timeout 150 python3 "$here/peer.py" "$work/$grid" $grid
        done
        ;;
    sanitize)
        for tool in memcheck initcheck synccheck racecheck; do
            echo "# compute-sanitizer --tool $tool $(date -u +%T)"
            VSM_GPU_SMALL=1 timeout 110 compute-sanitizer --tool $tool --error-exitcode 9 "$here/oracle_gpu" 2>&1 | tail -5
        done
        ;;
    stream)
        for clip in "$clip2k 1200 768" "$clip8k 800 768" "$clip8k 800 1024"; do
            for mode in "" "people $detector"; do
                # shellcheck disable=SC2086
                timeout 60 "$here/bench_gpu_stream" $model $clip $mode
            done
        done
        timeout 60 "$here/bench_gpu_stream" $model "$clip8k" 600 1024 software
        ;;
    leaks) timeout 200 "$here/bench_gpu_stream" $model "$clip2k" 10000 256 people $detector ;;
    jobs)
        cd "$work"
        # Both eyes as the matter leaves them: mending would hide or enlarge what the devices do differently.
        for device in cuda cpu; do # with all that a job does, and only the tallest person
            job $device "$clip2k" -o $device.mkv --set output.format=green+matte --set output.codec=ffv1 \
                --set processing.device=$device --set matting.people=largest --max-frames 32
        done
        "$here/evaluate" --difference cpu_matte.mkv cuda_matte.mkv
        for view in direct auto; do
            for device in cuda cpu; do
                job $device "$clip2k" -o $device.mkv --set output.format=matte --set output.codec=ffv1 \
                    --set processing.device=$device --set matting.view=$view --max-frames 32
                scaling $device.mkv.report.json
            done
            "$here/evaluate" --difference cpu.mkv cuda.mkv
        done
        plain="--set output.format=matte --set output.codec=ffv1 --set stereo.mode=independent --max-frames 60"
        job cuda "$clip2k" -o g.mkv $plain --set processing.device=cuda
        job cpu "$clip2k" -o c.mkv $plain --set processing.device=cpu
        "$here/evaluate" --brief --header c.mkv g.mkv
        "$here/evaluate" --difference c.mkv g.mkv
        job x264 "$clip8k" -o a.mp4 --set output.codec=libx264 --set output.preset=ultrafast
        job x265 "$clip8k" -o b.mp4 --set output.codec=libx265 --set output.preset=ultrafast
        ;;
    adaptive)
        cd "$work"
        common="--set output.format=matte --set output.codec=ffv1 --set processing.device=cuda
            --set processing.adaptive_scaling=true --set processing.min_scale=0.25"
        for view in direct auto; do
            job $view "$clip2k" -o $view.mkv $common --set matting.view=$view
            scaling $view.mkv.report.json
        done
        for fault in ckpt.done:2:kill ""; do # behind frame 39, between the first change and the second
            VSM_FAULT=$fault "$here/vr180-streaming" "$clip2k" -o killed.mkv $common --set matting.view=auto \
                --set recovery.checkpoint_interval=20 --progress none 2>&1 | grep -E "resum|goes on|from frame"
        done
        scaling killed.mkv.report.json
        ;;
    faults)
        cd "$work"
        common="$clip2k -o f.mkv --set output.format=matte --set output.codec=ffv1 --set recovery.checkpoint_interval=20"
        for fault in gpu.run:50:5 gpu.memory:3:12; do
            rm -rf f.mkv*
            echo "# VSM_FAULT=$fault"
            VSM_FAULT=$fault "$here/vr180-streaming" $common 2>&1 | tail -3
            "$here/vr180-streaming" $common --set processing.device=cpu --resume 2>&1 | grep -vE "^progress" | tail -6
        done
        ;;
    full)
        cd "$work"
        common="$clip2k --set output.format=green+matte --set output.codec=ffv1 --set processing.device=cuda --max-frames 40"
        for view in direct auto; do
            for n in $(seq 1 24); do
                rm -rf f.mkv* f_matte.mkv*
                VSM_FAULT=gpu.memory:$n:12 "$here/vr180-streaming" $common -o f.mkv --set matting.view=$view \
                    --set processing.adaptive_scaling=true --progress none >log 2>&1
                echo "$view, place $n: exit $?, $(grep -Eo "^done: .* frames|out of memory.*|from frame .*" log | tr '\n' ' ')"
            done
        done
        VSM_FAULT=gpu.memory:6:12 "$here/vr180-streaming" $common -o f.mkv --restart --progress none 2>&1 | grep -E "out of memory"
        VSM_FAULT=gpu.memory:6:12:sticky "$here/vr180-streaming" $common -o f.mkv --set processing.adaptive_scaling=true --restart --progress none 2>&1 |
            grep -E "out of memory|memory is short"
        for n in 1 5; do
            VSM_FAULT=gpu.locked:$n:12 "$here/vr180-streaming" $common -o f.mkv --set processing.adaptive_scaling=true --restart \
                --progress none 2>&1 | grep -E "out of memory|^done|from frame"
        done
        for left in 4000 2600 2200 1800 1500 1200 1000; do
            rm -rf f.mkv* f_matte.mkv* hogged
            hog $left >hogged &
            hog=$!
            until grep -q full hogged || ! kill -0 $hog; do sleep 0.1; done
            "$here/vr180-streaming" ${common%--max*} -o f.mkv --set matting.view=auto --set processing.adaptive_scaling=true \
                --progress none >log 2>&1
            echo "$left MiB left by another program: exit $?, $(grep -Eo "^done: .* frames|out of memory.*|from frame .*" log | tr '\n' ' ')"
            kill $hog
            wait $hog 2>/dev/null
        done
        ;;
    fades)
        cd "$work"
        clip=$here/fades_LR_180_SBS.mp4
        common="--set output.codec=ffv1 --set output.format=matte --set matting.view=auto --set recovery.checkpoint_interval=12 --progress none"
        for mode in independent "master_slave --set matting.people=largest" master_slave; do
            for device in cuda cpu; do
                # shellcheck disable=SC2086
                job $device "$clip" -o $device.mkv $common --set stereo.mode=$mode --set processing.device=$device
                scaling $device.mkv.report.json
            done
            "$here/evaluate" --difference cpu.mkv cuda.mkv
        done
        cp cuda.mkv whole.mkv
        # Checkpoints are behind frames 11 and 23, each within a change of 8 frames.
        for device in cuda cpu cpu cpu; do
            echo "# begun on $device"
            rm -rf killed.mkv*
            for fault in ckpt.done:1:kill ckpt.done:1:kill ""; do
                VSM_FAULT=$fault "$here/vr180-streaming" "$clip" -o killed.mkv $common --set stereo.mode=master_slave \
                    --set processing.device=$device 2>&1 | grep -E "resum|goes on"
                device=cuda
            done
            cmp whole.mkv killed.mkv && echo "killed twice within fades and resumed: the same bytes"
            "$here/evaluate" --difference whole.mkv killed.mkv
        done
        ;;
    repair)
        cd "$work"
        clip=$here/repair_LR_180_SBS.mkv
        common="--set output.codec=ffv1 --set output.format=matte --set recovery.checkpoint_interval=11 --progress none"
        for frames in 42 51 70; do
            for device in cuda cpu; do
                job $device "$clip" -o $device.mkv $common --set processing.device=$device --max-frames $frames
            done
            "$here/evaluate" --difference cpu.mkv cuda.mkv
        done
        cp cuda.mkv whole.mkv
        # The fourth checkpoint is behind frame 43, the second of three that want repairs.
        for devices in "cuda cuda" "cuda cpu" "cpu cuda"; do
            echo "# killed behind frame 43 and resumed: $devices"
            rm -rf killed.mkv*
            fault=ckpt.done:4:kill
            for device in $devices; do
                VSM_FAULT=$fault "$here/vr180-streaming" "$clip" -o killed.mkv $common --set processing.device=$device 2>&1 |
                    grep -E "resum|goes on|error"
                fault=
            done
            cmp whole.mkv killed.mkv && echo "the same bytes"
            "$here/evaluate" --difference whole.mkv killed.mkv
        done
        ;;
    track)
        use_ort
        cd "$work"
        "$here/scenario_sam2_weights" golden/sam2/weights/edgetam.json edgetam.safetensors
        common="--set output.format=matte --set output.codec=ffv1 --set recovery.checkpoint_interval=20 --max-frames 60
            --set matting.model=sam2+rvm --set matting.tracker=edgetam.safetensors --set matting.continuous_correction=true"
        "$here/vr180-streaming" "$clip2k" -o whole.mkv $common --set processing.device=cuda 2>&1 | grep -vE "^progress" | tail -6
        grep -A8 '"track"' whole.mkv.report.json | tr -d ' \n'
        echo
        for delay in 0.0 0.2; do
            "$here/vr180-streaming" "$clip2k" -o killed.mkv $common --set processing.device=cuda --progress none >/dev/null 2>&1 &
            until ls killed.mkv.vsmjob/ckpt-* >/dev/null 2>&1 || ! kill -0 $!; do sleep 0.02; done
            sleep $delay
            kill -KILL $!
            wait $!
            "$here/vr180-streaming" "$clip2k" -o killed.mkv $common --set processing.device=cuda 2>&1 | grep -E "resum|goes on"
            cmp whole.mkv killed.mkv && echo "killed $delay s after the first checkpoint and resumed: the same bytes"
            rm -rf killed.mkv*
        done
        ;;
    sam2profile)
        use_ort
        for model in sam2.1_tiny edgetam; do
            for network in encoder "memory attention" "mask decoder" "memory encoder"; do
                echo "# $model, $network: share of the time, microseconds, launches, kernel; three runs"
                VSM_BENCH_ONLY=$network timeout 90 ncu --csv --metrics gpu__time_duration.sum --clock-control none \
                    "$here/bench_gpu_sam2" "$VSM_SHARED/golden/sam2/weights/$model.json" 1024 1 2>/dev/null |
                    python3 "$here/sum_profile.py"
            done
        done
        ;;
    resume)
        cd "$work"
        common="--set output.format=matte --set output.codec=ffv1 --set recovery.checkpoint_interval=20 --set processing.device=cuda"
        "$here/vr180-streaming" "$clip2k" -o whole.mkv $common >/dev/null 2>&1
        for delay in 0.0 0.1 0.2 0.3; do
            "$here/vr180-streaming" "$clip2k" -o killed.mkv $common --progress none >/dev/null 2>&1 &
            until ls killed.mkv.vsmjob/ckpt-* >/dev/null 2>&1 || ! kill -0 $!; do sleep 0.02; done
            sleep $delay
            kill -KILL $!
            wait $!
            ls -l killed.mkv* | awk '{print $5, $NF}' | tr '\n' ' '
            "$here/vr180-streaming" "$clip2k" -o killed.mkv $common 2>&1 | grep -E "resum|goes on"
            cmp whole.mkv killed.mkv && echo "killed $delay s after the first checkpoint and resumed: the same bytes"
            rm -rf killed.mkv*
        done
        "$here/vr180-streaming" "$clip2k" -o crossed.mkv $common --set processing.device=cpu --progress none >/dev/null 2>&1 &
        until ls crossed.mkv.vsmjob/ckpt-* >/dev/null 2>&1 || ! kill -0 $!; do sleep 0.02; done
        kill -KILL $!
        wait $!
        "$here/vr180-streaming" "$clip2k" -o crossed.mkv $common 2>&1 | grep -vE "^progress" | tail -6
        "$here/evaluate" --difference whole.mkv crossed.mkv
        ;;
    esac
done
