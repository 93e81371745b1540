// Greedy non-maximum suppression for CPU tensors, for a torchvision whose own compiled operators
// do not fit the installed PyTorch (a CUDA build beside a CPU-only PyTorch).
#include <torch/extension.h>

#include <vector>

namespace {

at::Tensor nms(const at::Tensor& dets, const at::Tensor& scores, double iou_threshold) {
  if (dets.numel() == 0) return at::empty({0}, dets.options().dtype(at::kLong));
  const auto boxes = dets.to(at::kFloat).contiguous();
  const auto order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
  const float* box = boxes.data_ptr<float>();
  const int64_t* by_score = order.data_ptr<int64_t>();
  const int64_t count = boxes.size(0);
  std::vector<float> areas(count);
  for (int64_t i = 0; i < count; ++i) {
    const float* b = box + 4 * i;
    areas[i] = (b[2] - b[0]) * (b[3] - b[1]);
  }
  std::vector<bool> suppressed(count, false);
  std::vector<int64_t> kept;
  for (int64_t place = 0; place < count; ++place) {
    const int64_t i = by_score[place];
    if (suppressed[i]) continue;
    kept.push_back(i);
    const float* a = box + 4 * i;
    for (int64_t later = place + 1; later < count; ++later) {
      const int64_t j = by_score[later];
      if (suppressed[j]) continue;
      const float* b = box + 4 * j;
      const float width = std::max(0.f, std::min(a[2], b[2]) - std::max(a[0], b[0]));
      const float height = std::max(0.f, std::min(a[3], b[3]) - std::max(a[1], b[1]));
      const float both = width * height;
      if (both / (areas[i] + areas[j] - both) > iou_threshold) suppressed[j] = true;
    }
  }
  return at::tensor(kept, dets.options().dtype(at::kLong));
}

}  // namespace

TORCH_LIBRARY(torchvision, library) {
  library.def("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor");
  library.def("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor");  // named, unused
}

TORCH_LIBRARY_IMPL(torchvision, CPU, library) { library.impl("nms", &nms); }

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {}
