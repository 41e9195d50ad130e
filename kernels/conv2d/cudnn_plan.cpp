#if __has_include(<cudnn.h>)

#include "kernels/conv2d/cudnn_plan.h"

#include <algorithm>
#include <iterator>
#include <type_traits>

namespace pgad::cudnn {
namespace {

constexpr int kAttempts = 8;  // at engines that may turn out not to serve: some are compiled then, for a second each

template <class T>
constexpr cudnnBackendAttributeType_t type_of() {
  if constexpr (std::is_same_v<T, std::int64_t>) return CUDNN_TYPE_INT64;
  if constexpr (std::is_same_v<T, float>) return CUDNN_TYPE_FLOAT;
  if constexpr (std::is_same_v<T, double>) return CUDNN_TYPE_DOUBLE;
  if constexpr (std::is_same_v<T, bool>) return CUDNN_TYPE_BOOLEAN;
  if constexpr (std::is_same_v<T, char>) return CUDNN_TYPE_CHAR;
  if constexpr (std::is_same_v<T, cudnnHandle_t>) return CUDNN_TYPE_HANDLE;
  if constexpr (std::is_same_v<T, cudnnDataType_t>) return CUDNN_TYPE_DATA_TYPE;
  if constexpr (std::is_same_v<T, cudnnConvolutionMode_t>) return CUDNN_TYPE_CONVOLUTION_MODE;
  if constexpr (std::is_same_v<T, cudnnPointwiseMode_t>) return CUDNN_TYPE_POINTWISE_MODE;
  if constexpr (std::is_same_v<T, cudnnBackendHeurMode_t>) return CUDNN_TYPE_HEUR_MODE;
  if constexpr (std::is_same_v<T, cudnnBackendDescriptor_t>) return CUDNN_TYPE_BACKEND_DESCRIPTOR;  // a void*
}

template <class T>
void set(const Api& api, const Descriptor& d, cudnnBackendAttributeName_t name, const T* values, std::int64_t count,
         cudnnBackendAttributeType_t type = type_of<T>()) {
  api.check(api.cudnnBackendSetAttribute(d.get(), name, type, count, values), "an attribute of a convolution");
}
template <class T>
void set(const Api& api, const Descriptor& d, cudnnBackendAttributeName_t name, const T& value) {
  set(api, d, name, &value, 1);
}
void set(const Api& api, const Descriptor& d, cudnnBackendAttributeName_t name, const Descriptor& value) {
  set(api, d, name, value.get());
}

// A convolution's own attributes, by pass.
struct Names {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};
Names names_of(ConvPass pass) {
  switch (pass) {
    case ConvPass::kForward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvPass::kDgrad:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvPass::kWgrad:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

}  // namespace

Api::Api() {
#define PGAD_FIND(name) library.find(name, #name)
  PGAD_CUDNN_FUNCTIONS(PGAD_FIND);
#undef PGAD_FIND
}

void Api::check(cudnnStatus_t status, const char* what) const {
  if (status != CUDNN_STATUS_SUCCESS) throw DeviceError(str(what, ": cuDNN: ", cudnnGetErrorString(status)));
}

Descriptor::Descriptor(const Api& api, cudnnBackendDescriptorType_t type) : api_(&api) {
  api.check(api.cudnnBackendCreateDescriptor(type, &descriptor_), "cudnnBackendCreateDescriptor");
}

Descriptor Plan::tensor(std::int64_t id, cudnnDataType_t type, const std::int64_t (&dims)[4], bool is_virtual,
                        bool by_value) const {
  // As N C H W, the channels side by side in memory.
  const std::int64_t strides[] = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};
  Descriptor t(*api_, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set(*api_, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  set(*api_, t, CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  set(*api_, t, CUDNN_ATTR_TENSOR_DIMENSIONS, dims, 4);
  set(*api_, t, CUDNN_ATTR_TENSOR_STRIDES, strides, 4);
  set(*api_, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16});
  set(*api_, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
  set(*api_, t, CUDNN_ATTR_TENSOR_IS_BY_VALUE, by_value);
  api_->check(api_->cudnnBackendFinalize(t.get()), "a tensor of a convolution");
  return t;
}

Descriptor& Plan::then(cudnnPointwiseMode_t mode, const Descriptor& in, const Descriptor* second, bool last) {
  const auto id = last ? (problem_.pass == ConvPass::kForward ? kY
                          : problem_.pass == ConvPass::kDgrad ? kX
                                                              : kW)
                       : static_cast<Id>(kVirtual + static_cast<std::int64_t>(operations_.size()));
  kept_.push_back(std::make_unique<Descriptor>(tensor(id, CUDNN_DATA_FLOAT, result_dims_, !last)));
  Descriptor& out = *kept_.back();
  Descriptor pointwise(*api_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  set(*api_, pointwise, CUDNN_ATTR_POINTWISE_MODE, mode);
  set(*api_, pointwise, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  if (mode == CUDNN_POINTWISE_RELU_FWD)
    set(*api_, pointwise, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, static_cast<double>(problem_.slope));
  api_->check(api_->cudnnBackendFinalize(pointwise.get()), "what follows a convolution");
  Descriptor operation(*api_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  set(*api_, operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise);
  set(*api_, operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, in);
  if (second != nullptr) set(*api_, operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *second);
  set(*api_, operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, out);
  api_->check(api_->cudnnBackendFinalize(operation.get()), "an operation behind a convolution");
  operations_.push_back(operation.get());
  kept_.push_back(std::make_unique<Descriptor>(std::move(pointwise)));
  kept_.push_back(std::make_unique<Descriptor>(std::move(operation)));
  return out;
}

// In float32 alone alpha is the convolution's own: so cuDNN's oldest and many engines serve. Else the convolution is
// followed by operations on its sums, which never reach memory: only so may operands be bf16 and the result float32.
void Plan::make_operations() {
  const Problem& p = problem_;
  const bool alone = p.precision != Precision::kBf16 && !p.bias_act;
  const cudnnDataType_t in = p.precision == Precision::kBf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  const std::int64_t image[] = {p.n, p.ci, p.h, p.w}, weights[] = {p.co, p.ci, p.k, p.k},
                     result[] = {p.n, p.co, p.h, p.w};
  const auto add = [&](std::int64_t id, const std::int64_t(&dims)[4], ConvPass makes) -> Descriptor& {
    const bool made = p.pass == makes;
    if (made) std::copy(std::begin(dims), std::end(dims), result_dims_);
    kept_.push_back(std::make_unique<Descriptor>(
        tensor(made && !alone ? std::int64_t{kVirtual} : id, made ? CUDNN_DATA_FLOAT : in, dims, made && !alone)));
    return *kept_.back();
  };
  Descriptor& x = add(kX, image, ConvPass::kDgrad);
  Descriptor& w = add(kW, weights, ConvPass::kWgrad);
  Descriptor& y = add(kY, result, ConvPass::kForward);

  Descriptor convolution(*api_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const std::int64_t padding[] = {p.k / 2, p.k / 2}, ones[] = {1, 1};
  set(*api_, convolution, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  set(*api_, convolution, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  set(*api_, convolution, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  set(*api_, convolution, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding, 2);
  set(*api_, convolution, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding, 2);
  set(*api_, convolution, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, ones, 2);
  set(*api_, convolution, CUDNN_ATTR_CONVOLUTION_DILATIONS, ones, 2);
  api_->check(api_->cudnnBackendFinalize(convolution.get()), "a convolution's description");

  const Names names = names_of(p.pass);
  Descriptor operation(*api_, names.operation);
  set(*api_, operation, names.x, x);
  set(*api_, operation, names.w, w);
  set(*api_, operation, names.y, y);
  set(*api_, operation, names.convolution, convolution);
  set(*api_, operation, names.alpha, alone ? p.alpha : 1.0f);
  set(*api_, operation, names.beta, 0.0f);
  api_->check(api_->cudnnBackendFinalize(operation.get()), "a convolution");
  operations_.push_back(operation.get());
  kept_.push_back(std::make_unique<Descriptor>(std::move(convolution)));
  kept_.push_back(std::make_unique<Descriptor>(std::move(operation)));
  if (alone) return;
  Descriptor& sums = p.pass == ConvPass::kForward ? y : p.pass == ConvPass::kDgrad ? x : w;
  const std::int64_t scalar[] = {1, 1, 1, 1}, channels[] = {1, p.co, 1, 1};
  kept_.push_back(std::make_unique<Descriptor>(tensor(kAlpha, CUDNN_DATA_FLOAT, scalar, false, true)));
  Descriptor& scaled = then(CUDNN_POINTWISE_MUL, sums, kept_.back().get(), !p.bias_act);
  if (!p.bias_act) return;
  kept_.push_back(std::make_unique<Descriptor>(tensor(kBias, CUDNN_DATA_FLOAT, channels, false)));
  Descriptor& shifted = then(CUDNN_POINTWISE_ADD, scaled, kept_.back().get(), false);
  then(CUDNN_POINTWISE_RELU_FWD, shifted, nullptr, true);
}

// The same bits in every run, sums in float32, operands rounded no further than the precision says.
bool Plan::acceptable(const Descriptor& config) const {
  Descriptor engine(*api_, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t of_config = engine.get();
  std::int64_t count = 0;
  api_->check(api_->cudnnBackendGetAttribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                             1, &count, &of_config),
              "a convolution's engine");
  cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
  api_->check(api_->cudnnBackendGetAttribute(of_config, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                             CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, notes),
              "an engine's notes");
  return std::none_of(notes, notes + count, [&](cudnnBackendNumericalNote_t note) {
    return note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC || note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION ||
           note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS ||
           (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && problem_.precision == Precision::kFp32);
  });
}

void Plan::find_configs(cudnnHandle_t handle, const std::string& device_json) {
  Descriptor device;
  if (handle == nullptr) {
#if CUDNN_VERSION >= 91000
    device = Descriptor(*api_, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    set(*api_, device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, device_json.c_str(),
        static_cast<std::int64_t>(device_json.size()) + 1);
    api_->check(api_->cudnnBackendFinalize(device.get()), "a device's description");
#else
    throw Error(str("this build's cuDNN, ", CUDNN_VERSION, ", plans for no device but the machine's"));
#endif
  }
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Descriptor heuristics(*api_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set(*api_, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
    set(*api_, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, mode);
#if CUDNN_VERSION >= 91000
    if (handle == nullptr) set(*api_, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device);
#endif
    if (api_->cudnnBackendFinalize(heuristics.get()) != CUDNN_STATUS_SUCCESS) continue;  // none for such a graph
    std::int64_t count = 0, got = 0;
    api_->check(api_->cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
                "the number of a convolution's engines");
    std::vector<Descriptor> found;
    std::vector<cudnnBackendDescriptor_t> pointers;
    for (std::int64_t i = 0; i < count; ++i) {
      found.emplace_back(*api_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
      pointers.push_back(found.back().get());
    }
    if (count == 0) continue;
    api_->check(api_->cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                               CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &got, pointers.data()),
                "a convolution's engines");
    found.resize(static_cast<std::size_t>(std::min(got, count)));
    for (Descriptor& config : found)
      if (acceptable(config)) configs_.push_back(std::move(config));
  }
}

Plan::Plan(const Api& api, cudnnHandle_t handle, const Problem& problem, const std::string& device_json)
    : api_(&api), problem_(problem) {
  make_operations();
  graph_ = Descriptor(api, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set(api, graph_, CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_.data(), static_cast<std::int64_t>(operations_.size()));
  if (handle != nullptr) set(api, graph_, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
  if (api.cudnnBackendFinalize(graph_.get()) != CUDNN_STATUS_SUCCESS) return;
  find_configs(handle, device_json);
  if (handle == nullptr) return;
  int attempts = 0;
  for (const Descriptor& config : configs_) {
    if (attempts++ == kAttempts) return;
    Descriptor plan(api, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set(api, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle);
    set(api, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (api.cudnnBackendFinalize(plan.get()) != CUDNN_STATUS_SUCCESS) continue;
    std::int64_t count = 0;
    api.check(api.cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                           &count, &bytes_),
              "a convolution's workspace");
    plan_ = std::move(plan);
    return;
  }
}

void Plan::run(cudnnHandle_t handle, const void* a, const void* b, const float* bias, float* out, void* workspace) {
  const void* x = problem_.pass == ConvPass::kDgrad ? out : a;
  const void* y = problem_.pass == ConvPass::kForward ? out : problem_.pass == ConvPass::kDgrad ? a : b;
  const void* w = problem_.pass == ConvPass::kWgrad ? out : b;
  std::vector<std::int64_t> ids = {kX, kW, kY};
  std::vector<void*> pointers = {const_cast<void*>(x), const_cast<void*>(w), const_cast<void*>(y)};
  if (operations_.size() > 1) {
    ids.push_back(kAlpha);
    pointers.push_back(&problem_.alpha);  // by value: the host's
  }
  if (problem_.bias_act) {
    ids.push_back(kBias);
    pointers.push_back(const_cast<float*>(bias));
  }
  const auto count = static_cast<std::int64_t>(ids.size());
  Descriptor pack(*api_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  set(*api_, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids.data(), count);
  set(*api_, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers.data(), count, CUDNN_TYPE_VOID_PTR);
  set(*api_, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &workspace, 1, CUDNN_TYPE_VOID_PTR);
  api_->check(api_->cudnnBackendFinalize(pack.get()), "a convolution's addresses");
  api_->check(api_->cudnnBackendExecute(handle, plan_.get(), pack.get()), "a convolution");
}

}  // namespace pgad::cudnn
#endif
