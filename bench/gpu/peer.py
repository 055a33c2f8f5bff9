#!/usr/bin/env python3
"""The peer of bench_gpu_frame: RVM with the same weights in PyTorch, half precision, eager and as TorchScript.

Usage: peer.py FOLDER GRID   (FOLDER as bench_gpu_dump_graph makes it)
Per frame, two eyes of 4096x4096 RGB in half precision on the card: bilinear to the grid, network, guided filter at full
size, people over green. Medians of 100 frames by device events. The network alone is timed as well.
"""
import json
import sys

import numpy
import torch
import torch.nn.functional as F


class Net(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        graph = json.load(open(folder + "/graph.json"))
        data = numpy.fromfile(folder + "/weights.bin", dtype=numpy.float32)
        self.nodes, self.outs, self.ins = graph["nodes"], graph["outputs"], graph["inputs"]
        self.known = {}
        for w in graph["weights"]:
            count = int(numpy.prod(w["dims"])) if w["dims"] else 1
            name = "w%d" % w["value"]
            self.register_buffer(name, torch.from_numpy(data[w["at"]:w["at"] + count].reshape(w["dims"]).copy()))
            self.known[w["value"]] = name

    def act(self, x, kind):
        return [lambda x: x, F.relu, F.hardswish, torch.sigmoid, torch.tanh, F.hardsigmoid][kind](x)

    def forward(self, src, r0, r1, r2, r3):
        v = {p["value"]: t for p, t in zip(self.ins, (src, r0, r1, r2, r3))}

        def get(i):
            return None if i < 0 else v[i] if i in v else getattr(self, self.known[i])

        for n in self.nodes:
            op, a, o = n["op"], [get(i) for i in n["inputs"]], n["outputs"]
            if op == "vsm:Image":
                v[o[0]] = torch.cat([a[0], (a[0] - a[1].view(1, 3, 1, 1)) * a[2].view(1, 3, 1, 1)], 1)
            elif op == "vsm:Halve":
                v[o[0]] = F.avg_pool2d(a[0], 2)
            elif op == "GlobalAveragePool":
                v[o[0]] = a[0].mean((2, 3), keepdim=True)
            elif op == "vsm:Conv":
                weight, bias, residual, gate, squeeze = a[:5]
                parts = [p[:, f:f + c] for p, f, c in zip(a[5:], n["firsts"], n["counts"])]
                size = max(p.shape[2] for p in parts)
                parts = [p if p.shape[2] == size else F.interpolate(p, scale_factor=2.0, mode="bilinear", align_corners=False)
                         for p in parts]
                x = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
                if squeeze is not None:
                    x = x * squeeze
                x = self.act(F.conv2d(x, weight, bias, stride=n.get("stride", 1), padding=weight.shape[2] // 2),
                             n.get("activation", 0))
                if gate is not None:
                    x = x * gate
                if residual is not None:
                    x = x + residual
                if len(o) == 2:
                    v[o[0]], v[o[1]] = x.chunk(2, 1)
                else:
                    v[o[0]] = x
            elif op == "vsm:Depthwise":
                d = n.get("dilation", 1)
                v[o[0]] = self.act(F.conv2d(a[0], a[1].view(a[0].shape[1], 1, a[1].shape[-2], a[1].shape[-1]), a[2].view(-1),
                                            stride=n.get("stride", 1), padding=d * (a[1].shape[-1] // 2), dilation=d,
                                            groups=a[0].shape[1]), n.get("activation", 0))
            elif op == "vsm:Gru":
                x, h = a[0], a[1]
                r, z = torch.sigmoid(F.conv2d(torch.cat([x, h], 1), a[2], a[3], padding=a[2].shape[2] // 2)).chunk(2, 1)
                c = torch.tanh(F.conv2d(torch.cat([x, r * h], 1), a[4], a[5], padding=a[4].shape[2] // 2))
                v[o[0]] = h + z * (c - h)
            elif op == "vsm:Fit":
                x = torch.cat([a[0], a[0].mean(1, keepdim=True)], 1)
                box = lambda t: F.avg_pool2d(t, 3, 1, 1, count_include_pad=False)
                mx, my = box(x), box(a[1])
                cov, var = box(x * a[1]) - mx * my, box(x * x) - mx * mx
                A = cov / (var + max(n["eps"], 1e-5))
                v[o[0]] = torch.cat([A, my - A * mx], 1)
            else:
                raise ValueError(op)
        return tuple(v[p["value"]] for p in self.outs)


def median_ms(run, frames=100, warm=15):
    times = []
    for i in range(warm + frames):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        if i >= warm:
            times.append(begin.elapsed_time(end))
    return sorted(times)[frames // 2]


def main():
    folder, grid = sys.argv[1], int(sys.argv[2])
    torch.backends.cudnn.benchmark = True
    net = Net(folder).cuda().half().eval().to(memory_format=torch.channels_last)
    states = [torch.zeros(p["dims"], device="cuda", dtype=torch.half) for p in net.ins[1:]]
    full = torch.rand(2, 3, 4096, 4096, device="cuda", dtype=torch.half)
    green = torch.tensor([0, 0.694, 0.251], device="cuda", dtype=torch.half).view(1, 3, 1, 1)
    names = [p["name"] for p in net.outs]

    def frame(net, states):
        small = F.interpolate(full, size=(grid, grid), mode="bilinear", align_corners=False)
        out = dict(zip(names, net(small, *states)))
        fit = F.interpolate(out["coefficients"], size=(4096, 4096), mode="bilinear", align_corners=False)
        mean = full.mean(1, keepdim=True)
        alpha = (fit[:, 3:4] * mean + fit[:, 7:8]).clamp(0, 1)
        people = (full + fit[:, 0:3] * full + fit[:, 4:7]).clamp(0, 1)
        return people * alpha + green * (1 - alpha)

    with torch.no_grad():
        small = F.interpolate(full, size=(grid, grid), mode="bilinear", align_corners=False)
        traced = torch.jit.freeze(torch.jit.trace(net, (small, *states), check_trace=False).eval())
        print("PyTorch %s, %s, fp16, two eyes, grid %d:" % (torch.__version__, torch.cuda.get_device_name(), grid), end=" ")
        print("eager network %.3f ms, whole frame %.3f ms;" % (median_ms(lambda: net(small, *states)),
                                                             median_ms(lambda: frame(net, states))), end=" ")
        print("TorchScript network %.3f ms, whole frame %.3f ms" % (median_ms(lambda: traced(small, *states)),
                                                                    median_ms(lambda: frame(traced, states))), flush=True)


main()
