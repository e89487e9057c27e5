"""Lines of frames that are made together are those that each would get alone."""

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from hip3.record.lines import Frame, channel_of, channels, decode_line, encode_frames, encode_line

CHANNELS = ["bbo", "activeAssetCtx", "activeAssetData", 'b\\"o', "x" * 47, "x" * 48, "x" * 49, ""]
WHOLE = st.sampled_from(CHANNELS).map(lambda name: b'{"channel":"%b","data":{}}' % name.encode()) | st.sampled_from(
    [b"1", b'"a"', b'{"channel":"bbo"}', '{"channel":"bbo","of":"ü"}'.encode(), b'{"channel":', b'{"a":"b","c":"d"}']
)
ODD = st.binary(max_size=60) | st.sampled_from(
    [b"", b" {}", b"{} ", b'{"a":\n1}', b"1\r", b'"\xff"', b'"a', b'b"', b"1,2"]
)


def _frames(datas: list[bytes]) -> list[Frame]:
    return [(7 * n, 11 * n, n % 3, data) for n, data in enumerate(datas)]


@given(st.lists(WHOLE, max_size=8), st.lists(ODD, max_size=2), st.integers(1, 1 << 40))
@example([b'{"channel":"bbo"}'], [b'"a', b'b"'], 1)  # together they are JSON
@example([], [b"[1", b"2]"], 1)
@example([], [b"1,2"], 1)
def test_lines_made_together_are_those_made_alone(whole: list[bytes], odd: list[bytes], first: int) -> None:
    frames = _frames([*whole, *odd])
    lines = encode_frames(first, frames)
    assert lines == [encode_line(n, t, m, c, "in", data) for n, (t, m, c, data) in enumerate(frames, first)]
    assert [decode_line(line).data for line in lines] == [data for *_, data in frames]


@given(st.lists(WHOLE | ODD, max_size=8))
def test_channels_are_counted_as_each_is_told(datas: list[bytes]) -> None:
    assert channels(_frames(datas)) == Counter(channel_of(data) for data in datas)
